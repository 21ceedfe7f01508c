"""The consumer group: where it stopped, and which checkpoint belongs there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from service.errors import UserError
from service.kafka import Connection

SESSION_TIMEOUT_MS = 10_000
MAX_POLL_INTERVAL_MS = 15_000
"""How long Kafka may wait for a consumer that was killed; polling never pauses that long."""
FRESH = "no checkpoint yet"
"""What the commit of a new group says in place of a checkpoint's id."""


class GroupError(UserError):
    """The group's offsets and the checkpoints don't belong together."""


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """Where each partition goes on, and the checkpoint that was committed with it, if any."""

    positions: Mapping[int, int]
    checkpoint: str | None


def connect(
    connection: Connection, group: str, max_poll_interval_ms: int = MAX_POLL_INTERVAL_MS
) -> KafkaConsumer:
    """Connect as a member-to-be of the group; nothing is subscribed yet."""
    return KafkaConsumer(
        **connection.options,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_poll_interval_ms=max_poll_interval_ms,
        session_timeout_ms=SESSION_TIMEOUT_MS,
    )


def starting_point(
    consumer: KafkaConsumer, topic: str, partitions: Iterable[int], checkpoints: list[str]
) -> StartingPoint:
    """Ask the group where it stopped; a new group is put to the beginning of the topic.

    Parameters
    ----------
    checkpoints
        Ids of those at hand. The committed offsets name the one that fits them; a newer one was
        written but never committed, and is not used.

    Raises
    ------
    GroupError
        The named checkpoint is not at hand, or there are some that no commit names.
    """
    owned = [TopicPartition(topic, partition) for partition in partitions]
    committed = {
        tp.partition: found
        for tp in owned
        if (found := consumer.committed(tp, metadata=True)) is not None
    }
    group = consumer.config["group_id"]
    named = {found.metadata for found in committed.values()} - {FRESH, ""}
    if named:
        id_ = max(named)
        if id_ not in checkpoints:
            raise GroupError(
                f"group {group!r} stopped at checkpoint {id_}, which is not there; name its folder"
                " with --checkpoint-dir, or start afresh with another --group"
            )
        return StartingPoint({p: found.offset for p, found in committed.items()}, id_)
    if checkpoints and not any(found.metadata == FRESH for found in committed.values()):
        raise GroupError(
            f"there are checkpoints, but group {group!r} has committed none of them on topic"
            f" {topic!r}; go on with the --group and --topic that wrote them, or start afresh with"
            " another --checkpoint-dir"
        )
    beginnings = consumer.beginning_offsets(owned)
    positions = {tp.partition: offset for tp, offset in beginnings.items()} | {
        p: found.offset for p, found in committed.items()
    }
    new = [tp for tp in owned if tp.partition not in committed]
    if new:
        consumer.commit({tp: OffsetAndMetadata(positions[tp.partition], FRESH, -1) for tp in new})
    return StartingPoint(positions, None)
