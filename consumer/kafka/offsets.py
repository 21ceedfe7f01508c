"""Read the committed offsets of a group, and the checkpoint that their metadata names."""

from collections.abc import Mapping

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from newsreel.common.kafka import CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS, Connection

FRESH = "no checkpoint yet"
"""Metadata of the first commit of a group, in place of a checkpoint's id."""

TIMEOUT_MS = 15_000


def committed(connection: Connection, group: str, topic: str) -> Mapping[int, OffsetAndMetadata]:
    """Return the committed offsets of a group by partition, without joining the group.

    Partitions without a committed offset are left out.

    Raises
    ------
    KafkaError
        The broker does not answer, or refuses.
    """
    consumer = KafkaConsumer(
        **connection.options,
        group_id=group,
        bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        enable_auto_commit=False,
        isolation_level="read_committed",  # waits for a transaction that is being committed
    )
    try:
        partitions = consumer.partitions_for_topic(topic)
        if not partitions:  # not known yet: an empty result would mean that nothing is committed
            raise UnknownTopicOrPartitionError(topic)
        offsets = {
            number: consumer.committed(
                TopicPartition(topic, number), metadata=True, timeout_ms=TIMEOUT_MS
            )
            for number in partitions
        }
    finally:
        consumer.close(autocommit=False)
    return {number: offset for number, offset in offsets.items() if offset is not None}


def checkpoint_id(committed: Mapping[int, OffsetAndMetadata]) -> str | None:
    """Return the id of the checkpoint that committed offsets name; None if they name none.

    A partition that was added lately may still name an older checkpoint, so the newest counts.
    """
    return max({offset.metadata for offset in committed.values()} - {FRESH, ""}, default=None)


def naming(
    checkpoint: str, topic: str, positions: Mapping[int, int]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Return the offsets to commit for some positions, whose metadata names their checkpoint."""
    return {
        TopicPartition(topic, partition): OffsetAndMetadata(offset, checkpoint, -1)
        for partition, offset in positions.items()
    }
