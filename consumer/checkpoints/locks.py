"""Lock files, where a file system has locks."""

import fcntl
from pathlib import Path
from typing import IO


def lock(file: IO[bytes]) -> bool:
    """Lock a file without waiting; returns whether it is locked now.

    On NFS the file must be open for writing.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process holds it; or the file system has no locks
        return False
    return True


def excludes(path: Path) -> bool:
    """Return whether the lock that this process holds on a file keeps others from locking it.

    Some file systems grant every lock, and others none.
    """
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def is_free(path: Path) -> bool:
    """Return whether no process holds the lock of a file.

    Raises
    ------
    OSError
        The file is missing, or can't be read.
    """
    try:
        with path.open("r+b") as file:
            return lock(file)
    except PermissionError:  # of another user
        with path.open("rb") as file:
            return lock(file)
