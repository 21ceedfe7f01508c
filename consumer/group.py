"""Where the consumer group stopped, and which checkpoint belongs there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kafka import OffsetAndMetadata

from consumer.checkpoint import CheckpointStore
from consumer.manifest import BrokenCheckpointError, Manifest
from consumer.offsets import FRESH, committed, named
from service.errors import UserError
from service.kafka import Connection


class GroupError(UserError):
    """The group's offsets and the checkpoints don't belong together."""


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """Where each partition goes on, and the checkpoint that was committed with it, if any."""

    positions: Mapping[int, int]
    checkpoint: str | None


def starting_point(
    group: str,
    topic: str,
    committed: Mapping[int, OffsetAndMetadata],
    beginnings: Mapping[int, int],
    checkpoints: Sequence[str],
) -> StartingPoint:
    """Say where a group goes on; a new one begins where the topic does.

    Parameters
    ----------
    committed, beginnings
        By partition. Partitions that the topic has gained since have no committed offset.
    checkpoints
        Ids of those at hand. The committed offsets name the one that fits them; a newer one was
        written but never committed, and is not used.

    Raises
    ------
    GroupError
        The named checkpoint is not at hand, or there are some that no commit names.
    """
    positions = dict(beginnings) | {p: found.offset for p, found in committed.items()}
    id_ = named(committed)
    if id_ is not None and id_ not in checkpoints:
        raise GroupError(
            f"group {group!r} stopped at checkpoint {id_}, which is not there; name its folder"
            " with --checkpoint-dir, or start afresh with another --group"
        )
    fresh = any(found.metadata == FRESH for found in committed.values())
    if id_ is None and checkpoints and not fresh:
        raise GroupError(
            f"there are checkpoints, but group {group!r} has committed none of them on topic"
            f" {topic!r}; go on with the --group and --topic that wrote them, or start afresh with"
            " another --checkpoint-dir"
        )
    return StartingPoint(positions, id_)


def last_committed(store: CheckpointStore, connection: Connection) -> Path | None:
    """Ask the broker which checkpoint of a folder was committed last; returns its own folder.

    None while there is none, or while what was committed is not at hand.

    Raises
    ------
    CheckpointError
        They are of another format.
    KafkaError
        The broker does not answer.
    """
    for id_ in reversed(store.ids()):
        try:
            manifest = Manifest.read(store.folder / id_)
        except BrokenCheckpointError:
            continue  # any other one says as well whose they are
        last = named(committed(connection, manifest.group, manifest.topic))
        return store.folder / last if last in store.ids() else None
    return None
