"""Read some records of a topic, and change nothing: no group, no offsets."""

import time
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

STALL_SECONDS = 20.0
"""Seconds without a record after which reading fails."""


class SampleError(UserError):
    """The topic can't be read."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some records of a topic."""

    partitions: int
    offsets: int
    """Number of offsets of the topic; markers of transactions count as well."""
    records: list[Any]
    """The first and the last records of each partition, in the order of their offsets."""


def read_sample(connection: Connection, topic: str, count: int) -> Sample:
    """Read the first and the last records of each partition.

    Parameters
    ----------
    count
        Number of records of all partitions together, about.

    Raises
    ------
    SampleError
        No records arrive.
    """
    consumer = KafkaConsumer(
        **connection.options,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        filled = [tp for tp in partitions if ends[tp] > begins[tp]]
        half = max(1, count // max(1, 2 * len(filled)))
        records: list[Any] = []
        for tp in filled:
            consumer.assign([tp])
            middle = max(begins[tp] + half, ends[tp] - half)
            records += _read(consumer, tp, begins[tp], min(begins[tp] + half, ends[tp]))
            records += _read(consumer, tp, middle, ends[tp])
        offsets = sum(ends[tp] - begins[tp] for tp in partitions)
        return Sample(len(partitions), offsets, records)
    finally:
        consumer.close(autocommit=False)


def _read(consumer: KafkaConsumer, tp: TopicPartition, begin: int, end: int) -> list[Any]:
    records: list[Any] = []
    consumer.seek(tp, begin)
    deadline = time.monotonic() + STALL_SECONDS
    while consumer.position(tp) < end:
        for record in consumer.poll(timeout_ms=500).get(tp, ()):
            deadline = time.monotonic() + STALL_SECONDS
            if record.offset < end:
                records.append(record)
        if time.monotonic() > deadline:
            raise SampleError(
                f"no record of partition {tp.partition} of {tp.topic!r} arrived for"
                f" {STALL_SECONDS:.0f} s; check the broker and try again"
            )
    return records
