"""The offsets that a group has committed, and the checkpoint that they name."""

from collections.abc import Mapping

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from newsreel.common.kafka import Connection

FRESH = "no checkpoint yet"
"""What the commit of a new group says in place of a checkpoint's id."""

TIMEOUT_MS = 15_000


def committed(connection: Connection, group: str, topic: str) -> Mapping[int, OffsetAndMetadata]:
    """Read the offsets of a group, by partition, of those that have one; it need not be a member.

    Raises
    ------
    KafkaError
        The broker does not answer, or does not allow it.
    """
    consumer = KafkaConsumer(
        **connection.options,
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed",  # waits for a transaction that is being committed
    )
    try:
        partitions = consumer.partitions_for_topic(topic)
        if not partitions:  # "nothing is committed" would be wrong
            raise UnknownTopicOrPartitionError(topic)
        found = {
            number: consumer.committed(
                TopicPartition(topic, number), metadata=True, timeout_ms=TIMEOUT_MS
            )
            for number in partitions
        }
    finally:
        consumer.close(autocommit=False)
    return {number: offset for number, offset in found.items() if offset is not None}


def named(committed: Mapping[int, OffsetAndMetadata]) -> str | None:
    """Return the id of the checkpoint that belongs to committed offsets, if there is one."""
    return max({offset.metadata for offset in committed.values()} - {FRESH, ""}, default=None)
