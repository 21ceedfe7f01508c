"""Signs of life that a consumer writes to its file of the lease: a count, and its machine."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from consumer.checkpoints import mounts

COUNT = b"%020d"
COUNT_BYTES = 20


class Sign(NamedTuple):
    """What the file of a consumer says; empty if the file can't be read."""

    seconds: bytes
    """Seconds that the consumer has held the lease, as digits."""

    machine: str
    """Machine of the consumer; empty if it is not known, as of an older newsreel."""


def first() -> bytes:
    """Return the content of the file when it is created."""
    return COUNT % 0 + mounts.machine().encode()


def read(path: Path) -> Sign:
    """Read a file; it is opened each time, for NFS then asks the server whether it has changed."""
    try:
        found = path.read_bytes()
    except OSError:
        found = b""
    return Sign(found[:COUNT_BYTES], found[COUNT_BYTES:].decode(errors="replace"))


def is_of_this_machine(path: Path) -> bool:
    """Return whether a file was written by a consumer of this machine, and surely so."""
    return read(path).machine == mounts.machine() != ""


class Watch:
    """Since when a consumer that waits has seen no change of the holder, or of its count."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: tuple[str, bytes] | None = None
        self._since = clock()
        self.notified = False

    def silence(self, seen: tuple[str, bytes]) -> float:
        """Return the seconds since the holder, or its count, was another."""
        if seen != self._seen:
            self._seen, self._since = seen, self._clock()
        return self._clock() - self._since

    def restart(self) -> None:
        """Begin to watch again."""
        self._seen = None
