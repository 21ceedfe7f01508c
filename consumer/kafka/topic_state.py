"""Ask where a topic begins and ends, which topic it is, and where a new group begins."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from consumer.kafka.config import Since
from newsreel.common import kafka
from newsreel.common.kafka import Connection


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker describes it."""

    id: str | None
    """Id that Kafka gives a topic when the topic is created; None from brokers without such ids."""

    beginnings: Mapping[int, int]
    """First offset, by partition."""

    ends: Mapping[int, int]
    """Offset after the last record, by partition."""

    first: Mapping[int, int]
    """Where a new group begins, by partition."""

    leaderless: frozenset[int] = frozenset()
    """Partitions without a leader, of which no offset is known now."""

    def resumed(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return where to go on: at positions that the topic has, else where a new group begins."""
        kept = {
            partition: at
            for partition, at in positions.items()
            if partition in self.leaderless or at <= self.ends.get(partition, -1)
        }
        return {**self.first, **kept}


def read_state(
    consumer: KafkaConsumer, connection: Connection, topic: str, since: Since
) -> TopicState:
    """Ask the broker for the state of a topic.

    Parameters
    ----------
    since
        Where a new group begins: "earliest", "latest", or with the first record of a time or later;
        a partition without such a record is read from its end.

    Raises
    ------
    KafkaError
        The broker does not answer, or refuses.
    """
    with kafka.admin(connection) as admin:
        (description,) = admin.describe_topics([topic])
    numbers = sorted(partition["partition_index"] for partition in description["partitions"])
    if not numbers:
        raise UnknownTopicOrPartitionError(topic)
    leaderless = without_leader(description)
    assigned = [TopicPartition(topic, number) for number in numbers if number not in leaderless]
    found = {tp.partition: at for tp, at in consumer.beginning_offsets(assigned).items()}
    ends = {tp.partition: at for tp, at in consumer.end_offsets(assigned).items()}
    match since:
        case datetime():
            first = ends | _since(consumer, assigned, since)
        case "earliest":
            first = found
        case "latest":
            first = ends
    return TopicState(_topic_id(description), found, ends, first, leaderless)


def without_leader(description: Mapping[str, Any]) -> frozenset[int]:
    """Return the partitions without a leader, of a topic as brokers describe it."""
    return frozenset(p["partition_index"] for p in description["partitions"] if p["leader_id"] < 0)


def _since(
    consumer: KafkaConsumer, partitions: list[TopicPartition], since: datetime
) -> dict[int, int]:
    """Return the first offset of a time or later, of the partitions that have such a record."""
    milliseconds = int(since.timestamp() * 1000)
    found = consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
    return {tp.partition: at.offset for tp, at in found.items() if at is not None}


def topic_id(client: KafkaAdminClient, topic: str) -> str | None:
    """Return the id of a topic; None from brokers without such ids, or without the topic."""
    (description,) = client.describe_topics([topic])
    return _topic_id(description)


def _topic_id(description: Mapping[str, Any]) -> str | None:
    found = description.get("topic_id")
    return str(found) if found is not None and found != UUID(int=0) else None
