"""Going on from the last commit, or from the one before where its checkpoint is broken."""

from collections.abc import Mapping
from typing import Any

import structlog

from consumer import checkpoint
from consumer.checkpoint import CheckpointStore, Stateful
from consumer.group import StartingPoint
from consumer.manifest import BrokenCheckpointError, CheckpointError, Manifest

log = structlog.get_logger()


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
            checkpoint.restore(folder, parts)
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
