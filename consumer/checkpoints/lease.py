"""One consumer learns, the others of its folder stand by."""

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

PATIENCE_SECONDS = 6.0
"""How long a holder may be silent before another takes over."""

BEAT_SECONDS = 1.0

LOOK_SECONDS = 0.25

MISSING_SECONDS = 2.0
"""How long nobody must be named: a holder whose folder was deleted names itself again."""

NAMED = ".lease"

RELEASED = ""
"""Named in place of a holder by one that has ended."""


class LeaseError(UserError):
    """The lease can't be written."""


class Lease:
    """The right to learn with a folder of checkpoints, held by one consumer at a time.

    ``.lease`` names the holder. Each consumer has a file of its own, which it keeps locked while
    it lives, and in which it counts the seconds that it holds the lease. Another takes over when
    that file is no longer locked, which a kernel sees to however a process ends, or has said the
    same for ``patience`` seconds: the holder was stopped, or its machine is gone. The clocks of
    two machines are never compared.

    A lease alone keeps no zombie from writing: one that wakes up after another took over finds its
    transactions fenced (`consumer.kafka.transaction`).

    Parameters
    ----------
    folder
        Of the checkpoints.
    patience
        Seconds.
    clock
        Seconds that only go forward.

    Raises
    ------
    LeaseError
        The folder can't be written.
    """

    def __init__(
        self,
        folder: Path,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._patience = patience
        self._clock = clock
        self._id = uuid.uuid4().hex[:12]
        with _told(folder):
            self._own = self._file(self._id).open("wb", buffering=0)
            self._own.write(b"%020d" % 0)
        _lock(self._own)
        self._missing = self._clock()
        self._fenced, self._asked = False, -math.inf
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def acquire(self, stopping: Callable[[], bool], waiting: Callable[[str], None]) -> bool:
        """Wait until the lease is ours; False when told to stop before that.

        Parameters
        ----------
        stopping
            Whether to give up.
        waiting
            Told once, and who holds it, if there is something to wait for.

        Raises
        ------
        LeaseError
        """
        told = False
        seen, since = None, self._clock()
        while not stopping():
            holder = self._holder()
            if holder is None:
                self._missing = min(self._missing, self._clock())
                if self._clock() - self._missing < MISSING_SECONDS:
                    time.sleep(LOOK_SECONDS)
                    continue
            if not holder or self._is_dead(holder):
                if self._take():
                    return True
                continue
            self._missing = math.inf
            if (now := (holder, self._count(holder))) != seen:
                seen, since = now, self._clock()
            elif self._clock() - since > self._patience:
                if self._take():
                    return True
                continue
            if not told:
                waiting(holder)
                told = True
            time.sleep(LOOK_SECONDS)
        return False

    def fenced(self) -> bool:
        """Return whether another consumer holds the lease; cheap enough to call for each record."""
        if (now := time.monotonic()) >= self._asked + LOOK_SECONDS:
            # None: the folder was deleted, and will be claimed again.
            self._fenced = self._holder() not in {None, self._id}
            self._asked = now
        return self._fenced

    def release(self) -> None:
        """Let another take over at once."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        with suppress(OSError):
            if self._holder() == self._id:
                (self._folder / NAMED).write_text(RELEASED)
            self._file(self._id).unlink(missing_ok=True)
        self._own.close()

    def _take(self) -> bool:
        """Write our name; of several who do so at once, the last one holds the lease."""
        before = self._holder()
        draft = self._file(f"{self._id}.new")
        with _told(self._folder):
            draft.write_text(self._id)
            draft.replace(self._folder / NAMED)
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
                    self._come_back()
                # In place: that takes no room, should the disk be full.
                os.pwrite(self._own.fileno(), b"%020d" % seconds, 0)

    def _come_back(self) -> None:
        """Claim a folder that was deleted, unless another consumer was faster."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._own.close()
        self._own = self._file(self._id).open("wb", buffering=0)
        _lock(self._own)
        with (self._folder / NAMED).open("x") as file:
            file.write(self._id)

    def _holder(self) -> str | None:
        try:
            return (self._folder / NAMED).read_text()
        except OSError:
            return None

    def _is_dead(self, holder: str) -> bool:
        try:
            with self._file(holder).open("rb") as file:
                return _lock(file)
        except FileNotFoundError:
            return True
        except OSError:  # no locks here: silence will tell
            return False

    def _count(self, holder: str) -> bytes:
        try:
            return self._file(holder).read_bytes()
        except OSError:
            return b""

    def _file(self, id_: str) -> Path:
        return self._folder / f"{NAMED}-{id_}"


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LeaseError(
            f"can't write to {str(folder)!r} who learns there ({error.strerror}); make room there,"
            " or name another folder with --checkpoint-dir"
        ) from error


def _lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return False
    return True
