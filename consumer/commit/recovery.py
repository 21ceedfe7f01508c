"""Resume from the last commit, or from the commit before if the checkpoint is broken."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from consumer.checkpoints.manifest import BrokenCheckpointError, CheckpointError, Manifest
from consumer.checkpoints.state import Stateful
from consumer.checkpoints.store import CheckpointStore, restore_checkpoint
from consumer.commit.starting_point import StartingPoint
from consumer.kafka.offsets import checkpoint_id, committed
from newsreel.common.kafka import Connection

log = structlog.get_logger()


def last_committed(store: CheckpointStore, connection: Connection) -> Path | None:
    """Return the folder of the checkpoint that was committed last, as the broker knows it.

    None if no checkpoint was committed, or if the committed one is missing from the folder.

    Raises
    ------
    CheckpointError
        The checkpoints have another format.
    KafkaError
        The broker does not answer.
    """
    for id_ in reversed(store.ids()):
        try:
            manifest = Manifest.read(store.folder / id_)
        except BrokenCheckpointError:
            continue  # every checkpoint of the folder names the same group and topic
        last = checkpoint_id(committed(connection, manifest.group, manifest.topic))
        return store.folder / last if last in store.ids() else None
    return None


def require_own(store: CheckpointStore, group: str, topic: str) -> None:
    """Refuse a folder that holds checkpoints of another group or topic: they would be deleted.

    Raises
    ------
    CheckpointError
        The folder holds such checkpoints.
    """
    for id_ in store.ids():
        try:
            manifest = Manifest.read(store.folder / id_)
        except CheckpointError:  # `restore` raises it
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
    """Load the newest intact checkpoint of the group, and return its positions.

    If an older checkpoint has to do, documents are learned again from its positions on: no document
    is learned twice in the history that survives. If the positions were moved, they stand.

    Parameters
    ----------
    parts
        Parts to restore, by name.
    describes
        Description of the model, which the checkpoint must fit.

    Raises
    ------
    CheckpointError
        No checkpoint is intact, or the checkpoint is of another model.
    """
    if start.checkpoint is None:
        return start.positions
    broken: BrokenCheckpointError | None = None
    for id_ in (start.checkpoint, *store.older(start.checkpoint)):
        folder = store.folder / id_
        try:
            manifest = Manifest.read(folder)
            manifest.require_fit(describes)
            if broken and not start.moved and manifest.is_beyond(start.positions):
                store.pass_over(id_)  # its history was never committed
                continue
            restore_checkpoint(folder, parts)
        except BrokenCheckpointError as error:
            log.warning("checkpoint broken, going back to the one before", error=str(error))
            store.pass_over(id_)
            broken = broken or error
        else:
            log.info("restored", checkpoint=id_)
            if broken is None or start.moved:
                return start.positions
            return {p: manifest.positions.get(str(p), 0) for p in start.positions}
    raise broken or BrokenCheckpointError(f"checkpoint {start.checkpoint} is missing")
