"""Measure the cost of the producer: the producer, and a bare Kafka client with the same records."""

import re
import time
from collections.abc import Sequence

from kafka import KafkaProducer

from benchmarks.throughput import processes
from benchmarks.throughput.comparison import Comparison, interleave
from newsreel.common.kafka import Connection
from newsreel.events.document import Document, encode
from newsreel.events.record import Record
from producer import connection


def compare(
    documents: Sequence[Document], rounds: int, arguments: Sequence[object]
) -> list[Comparison]:
    """Publish the documents in turns, each time to a new topic.

    Parameters
    ----------
    arguments
        Options of ``python -m producer`` that publish the same documents.
    """
    records = [encode(document, "benchmarks") for document in documents]
    with processes.broker() as (broker, _):

        def producer(_: int) -> float:
            topic = processes.new_topic(broker)
            log = processes.run("producer", "--topic", topic, *arguments, connection=broker)
            counts = re.search(r"delivered=(\d+).* per_second=(\d+)", log)
            if counts is None or int(counts[1]) != len(records):
                raise processes.ProgramError(
                    f"the producer did not deliver {len(records)} documents; its log:\n{log}"
                )
            return float(counts[2])

        def bare(_: int) -> float:
            return len(records) / send(broker, processes.new_topic(broker), records)

        figures = interleave({"bare client": bare, "producer": producer}, rounds)
    return [
        Comparison(
            "publishing",
            "The producer, and a bare kafka-python client",
            f"{len(records):,} documents a round, with the same client settings, from connecting"
            " to the last receipt. The producer encodes and checks each document, limits records"
            " in flight and counts receipts; the bare client sends records encoded beforehand.",
            "documents/s",
            "bare client",
            figures,
        )
    ]


def send(broker: Connection, topic: str, records: Sequence[Record]) -> float:
    """Send records with the producer's client settings and no checks; return the seconds taken."""
    patience_ms = round(connection.DELIVERY_SECONDS * 1000)
    start = time.perf_counter()
    client = KafkaProducer(
        **broker.options,
        enable_idempotence=True,
        compression_type="gzip",
        batch_size=connection.BATCH_BYTES,
        linger_ms=connection.LINGER_MS,
        max_request_size=connection.RECORD_BYTES,
        max_block_ms=patience_ms,
        delivery_timeout_ms=patience_ms,
        request_timeout_ms=patience_ms // 4,
    )
    sent = [
        client.send(topic, record.value, key=record.key, headers=record.headers)
        for record in records
    ]
    client.flush()
    client.close()
    seconds = time.perf_counter() - start
    if not all(delivery.succeeded() for delivery in sent):
        raise processes.ProgramError(
            "the broker did not acknowledge every record; check the broker"
        )
    return seconds
