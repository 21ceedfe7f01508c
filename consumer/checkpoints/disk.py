"""What checkpoints need of a file system, and what to do where it fails."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from consumer.checkpoints.manifest import CheckpointError

LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE}
"""Errors of a sync after which data may be lost; all others mean that there is no such sync."""

UNABLE = "this file system can't do that, and checkpoints need it"

UNSYNCED = (
    "this file system has no sync of this kind: checkpoints survive the end of the process, and"
    " perhaps not that of the machine"
)

ADVICE = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or raise the quota",
    errno.EROFS: "the file system is read-only: mount it writable",
    errno.EIO: "the disk, or the server of the folder, fails: read the system's log",
    errno.ESTALE: "the server no longer knows the folder: mount it again",
    errno.ENOENT: "the folder, or one above it, was deleted",
    errno.ENOTDIR: "a file is in the way",
    errno.EEXIST: "a file is in the way",
    errno.EXDEV: f"{UNABLE}: folders that are joined from several disks or layers often can't",
}

log = structlog.get_logger()


class DiskError(Exception):
    """An operation on a folder failed."""

    def __init__(self, operation: str, error: OSError) -> None:
        super().__init__(f"{operation}: {error.strerror or error}")
        self.advice = advice(error)


def advice(error: OSError) -> str:
    """Return what to do about an error of a file system."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"give user {os.geteuid()} the right to do so"
    return ADVICE.get(error.errno or 0, UNABLE)


@contextmanager
def operation(name: str) -> Iterator[None]:
    """Name the operation in the error of a block.

    Raises
    ------
    DiskError
        The block has raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DiskError(name, error) from error


class Disk:
    """Operations on a folder of checkpoints; each failure says what failed, and what to do.

    A file system that has no sync of folders or files, as SMB and FUSE may lack it, is used without
    sync, and the log says so once: then a checkpoint survives the end of the process, and perhaps
    not that of the machine.

    Parameters
    ----------
    folder
        Folder of checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unsynced: set[str] = set()

    def write(self, path: Path, data: bytes) -> None:
        """Write a file, and sync it.

        Raises
        ------
        DiskError
        """
        with operation("writing a file"), path.open("wb") as file:
            file.write(data)
            file.flush()
            self._sync("file", file.fileno())

    def sync(self, folder: Path) -> None:
        """Sync the names in a folder.

        Raises
        ------
        DiskError
        """
        with operation("opening a folder"):
            try:
                descriptor = os.open(folder, os.O_RDONLY)
            except OSError as error:
                self._accept("folder", error)
                return
        try:
            self._sync("folder", descriptor)
        finally:
            os.close(descriptor)

    def rename(self, draft: Path, final: Path) -> None:
        """Rename a folder.

        Raises
        ------
        DiskError
        """
        with operation("renaming a folder"):
            draft.rename(final)

    def _sync(self, kind: str, descriptor: int) -> None:
        with operation(f"syncing a {kind} to the disk"):
            try:
                os.fsync(descriptor)
            except OSError as error:
                self._accept(kind, error)

    def _accept(self, kind: str, error: OSError) -> None:
        """Go on without a sync that the file system does not have; raise any other error."""
        if error.errno in LOST:
            raise error
        if kind not in self._unsynced:
            log.warning(
                UNSYNCED,
                what=kind,
                folder=str(self._folder),
                error=error.strerror,
            )
        self._unsynced.add(kind)


def check(folder: Path, disk: Disk) -> None:
    """Try everything in a folder that checkpoints need, and create the folder if it is missing.

    Raises
    ------
    CheckpointError
        Something fails; the message says what, and what to do.
    """
    name = f"probe-{uuid.uuid4().hex[:12]}"
    draft, final = folder / f".{name}", folder / name
    try:
        _try_all(folder, draft, final, disk)
    except DiskError as error:
        raise CheckpointError(
            f"can't keep checkpoints in {str(folder)!r} ({error}); {error.advice}, or name another"
            " folder with --checkpoint-dir"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(final, ignore_errors=True)


def _try_all(folder: Path, draft: Path, final: Path, disk: Disk) -> None:
    with operation("creating the folder"):
        folder.mkdir(parents=True, exist_ok=True)
    with operation("creating a folder in it"):
        draft.mkdir()
    disk.write(draft / "probe", b"first")
    disk.sync(draft)
    disk.rename(draft, final)
    disk.sync(folder)
    with operation("listing the folder"):
        if final.name not in {path.name for path in folder.iterdir()}:
            raise OSError(0, "a folder that was renamed is not listed by its name")
    with operation("replacing a file by another"):
        (final / "probe.new").write_bytes(b"second")
        (final / "probe.new").replace(final / "probe")
    with operation("reading a file"):
        if (final / "probe").read_bytes() != b"second":
            raise OSError(0, "a file does not hold what was written")
    with operation("deleting a folder"):
        (final / "probe").unlink()
        final.rmdir()
