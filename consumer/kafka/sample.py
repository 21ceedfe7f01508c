"""Read some records of a topic, and change nothing: no group, no offsets."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from consumer.kafka.bounded import read_until
from newsreel.common.kafka import CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS, Connection

STALL_SECONDS = 20.0
"""Seconds without a record after which reading fails."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some records of a topic."""

    partitions: int
    offsets: int
    """Number of offsets of the topic; markers of transactions count as well."""
    records: list[Any]
    """The first and the last records of each partition, in the order of their offsets."""


def read_sample(
    connection: Connection, topic: str, count: int, leaderless: Collection[int] = ()
) -> Sample:
    """Read the first and the last records of each partition.

    Parameters
    ----------
    count
        Number of records of all partitions together, about.
    leaderless
        Partitions without a leader, which are left out.

    Raises
    ------
    StalledError
        No records arrive.
    """
    consumer = KafkaConsumer(
        **connection.options,
        bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        numbers = consumer.partitions_for_topic(topic) or set()
        partitions = [TopicPartition(topic, n) for n in numbers - set(leaderless)]
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
        return Sample(len(numbers), offsets, records)
    finally:
        consumer.close(autocommit=False)


def _read(consumer: KafkaConsumer, tp: TopicPartition, begin: int, end: int) -> list[Any]:
    consumer.seek(tp, begin)
    records = read_until(consumer, {tp: end}, STALL_SECONDS)
    return [record for record in records if record.offset < end]
