"""Let one consumer of a folder learn while the others stand by."""

import fcntl
import math
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from newsreel.common.errors import UserError

TAKEOVER_SECONDS = 6.0
"""Seconds without a sign of life of the holder after which another consumer takes over."""

BEAT_SECONDS = 1.0
"""Seconds between two signs of life of the holder."""

LOOK_SECONDS = 0.25
"""Seconds between two checks of the lease."""

MISSING_SECONDS = 2.0
"""Seconds that the file of the lease must be missing before it is created: a holder whose folder
was deleted creates it again."""

LEASE = ".lease"

RELEASED = ""
"""Content of the file after the holder has released the lease."""


class LeaseError(UserError):
    """The files of the lease are not writable."""


class Lease:
    """A lock on a folder of checkpoints: only the consumer that holds the lock learns and writes.

    The file ``.lease`` names the holder. Each consumer has a file of its own, which it keeps locked
    while its process lives, and in which the holder counts seconds. Another consumer takes over
    when that file is no longer locked, which the kernel ensures however a process ends, or when its
    content has not changed for ``patience`` seconds: then the holder is stopped, or its machine is
    gone. Clocks of two machines are never compared.

    A lease alone does not keep a holder from writing that wakes up after a successor took over: its
    transactions are fenced (`consumer.kafka.transaction`).

    Parameters
    ----------
    folder
        Folder of checkpoints.
    patience
        Seconds without a sign of life of the holder after which this consumer takes over.
    clock
        Seconds that only go forward.

    Raises
    ------
    LeaseError
        The folder is not writable.
    """

    def __init__(
        self,
        folder: Path,
        patience: float = TAKEOVER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._patience = patience
        self._clock = clock
        self._id = uuid.uuid4().hex[:12]
        with _lease_errors(folder):
            self._own = self._file(self._id).open("wb", buffering=0)
            self._own.write(b"%020d" % 0)
        _lock(self._own)
        self._missing_since = self._clock()
        self._fenced, self._checked = False, -math.inf
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def acquire(self, stopping: Callable[[], bool], waiting: Callable[[str], None]) -> bool:
        """Wait until this consumer holds the lease.

        Parameters
        ----------
        stopping
            Returns whether to give up.
        waiting
            Called once, with the id of the holder, if there is a holder to wait for.

        Returns
        -------
        bool
            Whether the lease is held; False after giving up.

        Raises
        ------
        LeaseError
        """
        notified = False
        last_seen, since = None, self._clock()
        while not stopping():
            holder = self._holder()
            if holder is None:
                self._missing_since = min(self._missing_since, self._clock())
                if self._clock() - self._missing_since < MISSING_SECONDS:
                    time.sleep(LOOK_SECONDS)
                    continue
            if not holder or self._is_dead(holder):
                if self._take():
                    return True
                continue
            self._missing_since = math.inf
            if (seen := (holder, self._count(holder))) != last_seen:
                last_seen, since = seen, self._clock()
            elif self._clock() - since > self._patience:
                if self._take():
                    return True
                continue
            if not notified:
                waiting(holder)
                notified = True
            time.sleep(LOOK_SECONDS)
        return False

    def fenced(self) -> bool:
        """Return whether another consumer holds the lease; cheap enough to call for each record."""
        if (now := time.monotonic()) >= self._checked + LOOK_SECONDS:
            # None: the folder was deleted, and this consumer will create the file again.
            self._fenced = self._holder() not in {None, self._id}
            self._checked = now
        return self._fenced

    def release(self) -> None:
        """Release the lease, so that another consumer takes over at once."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        with suppress(OSError):
            if self._holder() == self._id:
                (self._folder / LEASE).write_text(RELEASED)
            self._file(self._id).unlink(missing_ok=True)
        self._own.close()

    def _take(self) -> bool:
        """Write the id of this consumer; of several that do so at once, the last one holds."""
        before = self._holder()
        draft = self._file(f"{self._id}.new")
        with _lease_errors(self._folder):
            draft.write_text(self._id)
            draft.replace(self._folder / LEASE)
        time.sleep(LOOK_SECONDS)
        if self._holder() != self._id:
            return False
        if before:
            with suppress(OSError):
                self._file(before).unlink()
        self._thread.start()
        return True

    def _beat(self) -> None:
        seconds = 0
        while not self._ended.wait(BEAT_SECONDS):
            seconds += 1
            with suppress(OSError):
                if not self._file(self._id).exists():
                    self._reclaim()
                # Overwriting in place needs no free space, should the disk be full.
                os.pwrite(self._own.fileno(), b"%020d" % seconds, 0)

    def _reclaim(self) -> None:
        """Create the files of a deleted folder again, unless another consumer was faster."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._own.close()
        self._own = self._file(self._id).open("wb", buffering=0)
        _lock(self._own)
        with (self._folder / LEASE).open("x") as file:
            file.write(self._id)

    def _holder(self) -> str | None:
        try:
            return (self._folder / LEASE).read_text()
        except OSError:
            return None

    def _is_dead(self, holder: str) -> bool:
        try:
            with self._file(holder).open("rb") as file:
                return _lock(file)
        except FileNotFoundError:
            return True
        except OSError:  # a file system without locks: only patience decides
            return False

    def _count(self, holder: str) -> bytes:
        try:
            return self._file(holder).read_bytes()
        except OSError:
            return b""

    def _file(self, id_: str) -> Path:
        return self._folder / f"{LEASE}-{id_}"


@contextmanager
def _lease_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LeaseError(
            f"can't write the lease to {str(folder)!r} ({error.strerror}); make room there, or name"
            " another folder with --checkpoint-dir"
        ) from error


def _lock(file: IO[bytes]) -> bool:
    """Lock a file without waiting; returns whether it is locked now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return False
    return True
