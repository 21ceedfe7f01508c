"""Folders that are not local disks: used without what they lack, or refused with what to do."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import Part
from structlog.testing import capture_logs

from consumer.checkpoints.manifest import CheckpointError
from consumer.checkpoints.state import take_snapshot
from consumer.checkpoints.store import CheckpointStore, restore_checkpoint

UNSUPPORTED = [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EROFS, errno.EBADF]

LOST = {
    errno.EIO: "system's log",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "quota",
    errno.ESTALE: "mount it again",
}

ABOUT: dict[str, Any] = {"topic": "t", "group": "g", "positions": {"0": 1}, "describes": {}}


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints", keep=2)


def save(store: CheckpointStore) -> str:
    return store.save(take_snapshot({"part": Part({"a": 1})}), documents=1, **ABOUT)


def failing(number: int, when: Callable[..., bool] = lambda *_: True) -> Callable[[Any], Any]:
    """Return what makes a function fail with an error number for some arguments."""

    def wrap(function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if when(*arguments):
                raise OSError(number, os.strerror(number))
            return function(*arguments, **named)

        return call

    return wrap


def is_folder(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").is_dir()


@pytest.mark.parametrize("number", UNSUPPORTED)
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_no_sync(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, number: int, kind: str
) -> None:
    """Without a sync of folders or files, checkpoints are written, and the log says so once."""
    when = is_folder if kind == "folder" else lambda descriptor: not is_folder(descriptor)
    monkeypatch.setattr(os, "fsync", failing(number, when)(os.fsync))
    with capture_logs() as log:
        store.create()
        ids = [save(store), save(store)]
    assert store.ids() == ids
    restored = Part({})
    restore_checkpoint(store.folder / ids[1], {"part": restored})
    assert restored.state == {"a": 1}
    assert [("no sync" in line["event"], line["what"]) for line in log] == [(True, kind)]


def test_folder_that_cannot_be_opened(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that can't be opened can't be synced, either."""
    monkeypatch.setattr(os, "open", failing(errno.EACCES)(os.open))
    store.create()
    id_ = save(store)
    assert store.ids() == [id_]


@pytest.mark.parametrize("number", LOST)
def test_failed_sync(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A sync that may have lost data is an error: at the start, and of a checkpoint."""
    store.create()
    monkeypatch.setattr(os, "fsync", failing(number, is_folder)(os.fsync))
    with pytest.raises(CheckpointError, match=LOST[number]) as caught:
        store.create()
    assert "syncing a folder" in str(caught.value)
    with pytest.raises(CheckpointError, match=LOST[number]) as caught:
        save(store)
    assert "nothing is committed" in str(caught.value)
    assert list(store.folder.iterdir()) == []


OPERATIONS = {
    "creating a folder in it": (Path, "mkdir", lambda path, *_: path.name.startswith(".probe")),
    "writing a file": (Path, "open", lambda path, *_: path.name == "probe"),
    "renaming a folder": (Path, "rename", lambda *_: True),
    "listing the folder": (Path, "iterdir", lambda *_: True),
    "replacing a file": (Path, "replace", lambda *_: True),
    "reading a file": (Path, "read_bytes", lambda *_: True),
    "deleting a folder": (Path, "unlink", lambda *_: True),
}


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        *LOST.items(),
        (errno.EROFS, "mount it writable"),
        (errno.EPERM, "the right"),
        (errno.EACCES, "the right"),
        (errno.EXDEV, "joined from several disks"),
        (errno.ENOTSUP, "this file system can't do that"),
        (errno.EINVAL, "this file system can't do that"),
        (errno.EBUSY, "this file system can't do that"),
    ],
)
@pytest.mark.parametrize("name", OPERATIONS)
def test_refused_at_the_start(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, name: str, number: int, advice: str
) -> None:
    """A folder in which an operation fails is refused at the start: which one, why, what to do."""
    owner, attribute, when = OPERATIONS[name]
    monkeypatch.setattr(owner, attribute, failing(number, when)(getattr(owner, attribute)))
    with pytest.raises(CheckpointError, match=advice) as caught:
        store.create()
    message = str(caught.value)
    assert name in message
    assert os.strerror(number) in message
    assert "--checkpoint-dir" in message


def test_folders_under_other_names(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that changes the names of folders is refused."""
    found = Path.iterdir
    monkeypatch.setattr(
        Path, "iterdir", lambda path: [each.with_name(each.name.upper()) for each in found(path)]
    )
    with pytest.raises(CheckpointError, match="not listed by its name"):
        store.create()


def test_nothing_is_left(store: CheckpointStore) -> None:
    """The check leaves nothing in the folder, and may be repeated."""
    store.create()
    store.create()
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EACCES, errno.ENOTSUP])
def test_rename_that_fails_later(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A checkpoint whose folder can't be renamed is not said to want room."""
    store.create()
    monkeypatch.setattr(Path, "rename", failing(number)(Path.rename))
    with pytest.raises(CheckpointError, match="renaming a folder") as caught:
        save(store)
    assert "make room" not in str(caught.value)
    assert list(store.folder.iterdir()) == []


def test_folder_that_cannot_be_listed(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint in a folder that can't be listed is an error of the checkpoint."""
    store.create()
    monkeypatch.setattr(Path, "glob", failing(errno.ESTALE)(Path.glob))
    with pytest.raises(CheckpointError, match="listing the folder"):
        save(store)
