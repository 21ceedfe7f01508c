"""Store checkpoints in folders: written whole or not at all, and verified before they are used."""

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from consumer.checkpoints.disk import Disk, DiskError, check, operation
from consumer.checkpoints.interrupts import UNINTERRUPTED, Interrupts
from consumer.checkpoints.manifest import (
    FORMAT,
    MANIFEST,
    BrokenCheckpointError,
    CheckpointError,
    Manifest,
    broken,
)
from consumer.checkpoints.state import Snapshot, Stateful, unpack_state

ID = re.compile(r"\d{12}-\d{6}-[0-9a-f]{8}")
"""Number of documents, number of the checkpoint, random part."""

STATE, TENSORS = "state.json", "tensors.safetensors"


class CheckpointStore:
    """A folder of checkpoints, each of which is a folder named by its id.

    Parameters
    ----------
    folder
        Folder of the checkpoints; `create` creates it.
    keep
        Number of checkpoints that `prune` leaves, not counting broken ones.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from consumer.checkpoints.state import take_snapshot
    >>> from consumer.labels import LabelSet
    >>> labels, restored = LabelSet(limit=10), LabelSet(limit=10)
    >>> labels.add("sport")
    0
    >>> manifest = {"topic": "news", "group": "g", "positions": {"0": 1}, "describes": {}}
    >>> with TemporaryDirectory() as folder:
    ...     store = CheckpointStore(Path(folder), keep=2)
    ...     id_ = store.save(take_snapshot({"labels": labels}), documents=1, **manifest)
    ...     restore_checkpoint(store.folder / id_, {"labels": restored})
    >>> restored.names
    ['sport']
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self._keep = keep
        self._disk = Disk(folder)
        self._broken: set[str] = set()

    def create(self) -> None:
        """Create the folder if it is missing, and try everything in it that checkpoints need.

        Raises
        ------
        CheckpointError
            The folder is not writable, or its file system lacks what checkpoints need.
        """
        check(self.folder, self._disk)

    def ids(self) -> list[str]:
        """Return the ids of complete checkpoints, oldest first."""
        found = (path.parent.name for path in self.folder.glob(f"[!.]*/{MANIFEST}"))
        return sorted(id_ for id_ in found if ID.fullmatch(id_))

    def save(
        self, snapshot: Snapshot, interrupts: Interrupts = UNINTERRUPTED, **manifest: Any
    ) -> str:
        """Write a checkpoint to a draft folder, then rename the folder to the checkpoint's id.

        Parameters
        ----------
        snapshot
            State of all parts.
        interrupts
            Its failpoints "checkpoint-draft" and "checkpoint-written" are passed.
        manifest
            Fields of `Manifest`: topic, group, positions, documents, describes and topic_id.

        Returns
        -------
        str
            Id of the checkpoint.

        Raises
        ------
        CheckpointError
            The checkpoint could not be written; no file of it is left.
        """
        documents = f"{manifest['documents']:012d}"
        id_ = self._next_id(documents)
        draft = self.folder / f".{id_}"
        try:
            with operation("creating a folder"):
                draft.mkdir(parents=True)
            files = {
                STATE: json.dumps(snapshot.state).encode(),
                TENSORS: safetensors.torch.save(snapshot.tensors),
            }
            digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
            files[MANIFEST] = Manifest(format=FORMAT, id=id_, sha256=digests, **manifest).encode()
            for name, data in files.items():
                self._disk.write(draft / name, data)
            self._disk.sync(draft)
            interrupts.failpoint("checkpoint-draft")
            self._disk.rename(draft, self.folder / id_)
            self._disk.sync(self.folder)
            interrupts.failpoint("checkpoint-written")
        except DiskError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise self._not_written(error) from error
        return id_

    def _next_id(self, documents: str) -> str:
        """Return the id of the next checkpoint at a number of documents.

        The number keeps checkpoints at the same document in order; the random part keeps the id
        apart from that of a fenced consumer that does not know yet that it is fenced.
        """
        try:
            with operation("listing the folder"):
                ids = self.ids()
        except DiskError as error:
            raise self._not_written(error) from error
        numbers = [int(id_.split("-")[1]) for id_ in ids if id_.startswith(documents)]
        return f"{documents}-{max(numbers, default=0) + 1:06d}-{uuid.uuid4().hex[:8]}"

    def _not_written(self, error: DiskError) -> CheckpointError:
        return CheckpointError(
            f"checkpoint not written to {str(self.folder)!r} ({error}); nothing is committed past"
            f" the last checkpoint: {error.advice}"
        )

    def size(self, id_: str) -> int:
        """Return the size of a checkpoint's files in bytes; 0 if the checkpoint was deleted."""
        try:
            return sum(path.stat().st_size for path in (self.folder / id_).iterdir())
        except OSError:
            return 0

    def written(self, id_: str | None) -> float | None:
        """Return when a checkpoint was written, in seconds since 1970; None if there is none."""
        try:
            return written_at(self.folder / (id_ or ""))
        except BrokenCheckpointError:
            return None

    def older(self, id_: str) -> list[str]:
        """Return the ids of the checkpoints before a checkpoint, newest first."""
        return [other for other in reversed(self.ids()) if other < id_]

    def pass_over(self, id_: str) -> None:
        """Mark a checkpoint as broken, so that `prune` does not keep it."""
        self._broken.add(id_)

    def prune(self, newest: str) -> None:
        """Delete old checkpoints, except the newest ``keep`` up to a committed checkpoint.

        Newer checkpoints stay: they may belong to a successor of this consumer.

        Parameters
        ----------
        newest
            Id of the committed checkpoint.
        """
        older = [id_ for id_ in self.ids() if id_ <= newest]
        whole = [id_ for id_ in older if id_ not in self._broken]
        self._delete(set(older) - set(whole[-self._keep :]))

    def delete_older(self, id_: str) -> None:
        """Delete the checkpoints before a checkpoint."""
        self._delete(self.older(id_))

    def clear(self, newest: str | None, interrupts: Interrupts = UNINTERRUPTED) -> None:
        """Delete drafts and checkpoints newer than the last commit, before learning continues.

        Parameters
        ----------
        newest
            Id of the checkpoint that was committed last, if there is one.
        interrupts
            Nothing is deleted when fenced. The fence is checked after the list of folders is made,
            so that checkpoints of the new holder are never on the list.
        """
        unneeded = {id_ for id_ in self.ids() if newest is None or id_ > newest}
        unneeded |= {path.name for path in self.folder.glob(".[0-9]*-*")}
        if not interrupts.fenced():
            self._delete(unneeded)

    def _delete(self, names: Iterable[str]) -> None:
        for name in names:
            shutil.rmtree(self.folder / name, ignore_errors=True)


def is_checkpoint(folder: Path) -> bool:
    """Return whether a folder is a checkpoint, rather than a folder of checkpoints."""
    return (folder / MANIFEST).exists()


def newest_checkpoint(folder: Path) -> Path:
    """Return the newest checkpoint in a folder of checkpoints, or a folder that is a checkpoint.

    Raises
    ------
    CheckpointError
        There is no checkpoint.
    """
    if is_checkpoint(folder):
        return folder
    ids = CheckpointStore(folder, keep=1).ids()
    if not ids:
        raise CheckpointError(
            f"{str(folder)!r} holds no checkpoint; name the folder given to the consumer as"
            " --checkpoint-dir"
        )
    return folder / ids[-1]


def written_at(folder: Path) -> float:
    """Return when a checkpoint was written, in seconds since 1970.

    Raises
    ------
    BrokenCheckpointError
        The checkpoint was deleted.
    """
    try:
        return (folder / MANIFEST).stat().st_mtime
    except OSError as error:
        raise broken(folder, error) from error


def restore_checkpoint(folder: Path, parts: Mapping[str, Stateful]) -> None:
    """Verify the digests of a checkpoint and load its state into parts.

    Parameters
    ----------
    folder
        The checkpoint.
    parts
        Parts by name; the checkpoint may hold more.

    Raises
    ------
    BrokenCheckpointError
        A file is missing or not what was written.
    """
    manifest = Manifest.read(folder)
    try:
        files = {name: (folder / name).read_bytes() for name in (STATE, TENSORS)}
        for name, data in files.items():
            if hashlib.sha256(data).hexdigest() != manifest.sha256[name]:
                raise broken(folder, ValueError(f"{name} is not what was written"))
        tensors = safetensors.torch.load(files[TENSORS])
        state = json.loads(files[STATE])
        for name, part in parts.items():
            part.load_state_dict(unpack_state(state[name], tensors))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise broken(folder, error) from error
