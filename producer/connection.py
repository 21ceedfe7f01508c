"""A Kafka client that delivers each document once, for as long as a stream runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource
from kafka.errors import KafkaError

from newsreel.common.kafka import Connection
from producer.publisher import DeliveryError, PublishCounts, Publisher

DELIVERY_SECONDS = 60.0
"""How long a document may wait for the broker's word; a broker's restart takes less."""

CLOSE_SECONDS = 2.0

LINGER_MS = 20

BATCH_BYTES = 1 << 17

RECORD_BYTES = 1_048_588
"""Largest record that a topic takes, by Kafka's default."""


@contextmanager
def connect(
    connection: Connection,
    topic: str,
    source: str,
    tally: PublishCounts,
    record_bytes: int = RECORD_BYTES,
    patience: float = DELIVERY_SECONDS,
    published: int = 0,
) -> Iterator[Publisher]:
    """Connect a publisher; leaving the ``with`` block flushes it, unless an error ended it.

    Parameters
    ----------
    connection
        Where Kafka is, and how to be let in.
    topic, source, tally, patience, published
        As `Publisher` takes them.
    record_bytes
        Largest record that the topic takes. Larger ones are refused here: a refusal by the broker
        would end the idempotent client (kafka-python 3.0).

    Raises
    ------
    DeliveryError
        Some documents could not be delivered.
    """
    patience_ms = round(patience * 1000)
    try:
        client = KafkaProducer(
            **connection.options,
            enable_idempotence=True,
            compression_type="gzip",
            batch_size=min(BATCH_BYTES, record_bytes),
            linger_ms=LINGER_MS,
            max_request_size=record_bytes,
            max_block_ms=patience_ms,
            delivery_timeout_ms=patience_ms,
            request_timeout_ms=patience_ms // 4,
        )
    except KafkaError as error:
        raise DeliveryError(
            f"Kafka at {connection.bootstrap_servers!r} answers no more; nothing was delivered:"
            " see to the broker, then run the producer again"
        ) from error
    publisher = Publisher(client, topic, source, tally, patience, published)
    try:
        yield publisher
    except Exception:
        publisher.flush()  # what came before a broken row is as good as ever
        raise
    else:
        publisher.flush()
    finally:
        if publisher.pending:
            client._sender.force_close()  # noqa: SLF001 - close() alone would wait for the broker
        with suppress(KafkaError):
            client.close(timeout=CLOSE_SECONDS)


def largest_record(client: KafkaAdminClient, topic: str) -> int:
    """Bytes of the largest record that a topic takes; Kafka's default where it is not told."""
    name = "max.message.bytes"
    try:
        answer = client.describe_configs(
            [ConfigResource("topic", topic, {name: None})], config_filter="all"
        )
        return int(answer["topic"][topic][name]["value"])
    except (KafkaError, KeyError):
        return RECORD_BYTES
