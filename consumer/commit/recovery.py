"""Going on from the last commit, or from the one before where its checkpoint is broken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from kafka import OffsetAndMetadata

from consumer.checkpoints.manifest import BrokenCheckpointError, CheckpointError, Manifest
from consumer.checkpoints.state import Stateful
from consumer.checkpoints.store import CheckpointStore, restore_checkpoint
from consumer.kafka.offsets import FRESH, checkpoint_id, committed
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

log = structlog.get_logger()


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
    id_ = checkpoint_id(committed)
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
        last = checkpoint_id(committed(connection, manifest.group, manifest.topic))
        return store.folder / last if last in store.ids() else None
    return None


def require_own(store: CheckpointStore, group: str, topic: str) -> None:
    """Refuse a folder with checkpoints of another group or topic: they would be pruned.

    Raises
    ------
    CheckpointError
    """
    for id_ in store.ids():
        try:
            manifest = Manifest.read(store.folder / id_)
        except CheckpointError:  # `restore` will tell
            continue
        if (manifest.group, manifest.topic) != (group, topic):
            raise CheckpointError(
                f"{str(store.folder)!r} holds checkpoints of group {manifest.group!r} on topic"
                f" {manifest.topic!r}; name another folder with --checkpoint-dir"
            )


def restore(
    store: CheckpointStore,
    start: StartingPoint,
    parts: Mapping[str, Stateful],
    describes: Mapping[str, Any],
) -> Mapping[int, int]:
    """Load the newest checkpoint of the group that is whole; returns where its partitions go on.

    Where that is an older one, documents are learned again from its positions on: none is learned
    twice in the history that survives.

    Raises
    ------
    CheckpointError
        None is whole, or it is of another model, or offsets were moved.
    """
    if start.checkpoint is None:
        return start.positions
    broken: BrokenCheckpointError | None = None
    for id_ in (start.checkpoint, *store.older(start.checkpoint)):
        folder = store.folder / id_
        try:
            manifest = Manifest.read(folder)
            manifest.require_fit(describes)
            if broken is None:
                manifest.require_positions(start.positions)
            elif manifest.is_beyond(start.positions):
                store.pass_over(id_)  # of a history that was never committed
                continue
            restore_checkpoint(folder, parts)
        except BrokenCheckpointError as error:
            log.warning("checkpoint broken, going back to the one before", error=str(error))
            store.pass_over(id_)
            broken = broken or error
        else:
            log.info("restored", checkpoint=id_)
            if broken is None:
                return start.positions
            return {p: manifest.positions.get(str(p), 0) for p in start.positions}
    raise broken or BrokenCheckpointError(f"there is no checkpoint {start.checkpoint}")
