"""Let one consumer of a folder learn while the others stand by."""

import math
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import structlog

from consumer.checkpoints import locks, mounts, signs
from consumer.checkpoints.disk import advice
from newsreel.common.errors import UserError

TAKEOVER_SECONDS = 6.0
"""Seconds without a sign of life of the holder after which another consumer takes over."""

SHARED_TAKEOVER_SECONDS = 75.0
"""The same on a file system that machines share: NFS may show writes a minute late (acregmax)."""

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


log = structlog.get_logger()


class LeaseError(UserError):
    """The files of the lease are not writable."""


class Lease:
    """A lock on a folder of checkpoints: only the consumer that holds the lock learns and writes.

    The file ``.lease`` names the holder. Each consumer has a file of its own, which it keeps locked
    while its process lives, and in which the holder counts seconds. Another consumer takes over
    when that file is no longer locked, which the kernel ensures however a process ends, or when its
    content has not changed for ``patience`` seconds: then the holder is stopped, or its machine is
    gone. Clocks of two machines are never compared.

    On a file system that machines share, a lock that is free proves nothing about the processes of
    another machine: NFS, SMB and FUSE may be mounted so that each machine keeps its locks to
    itself. There, and where a lock does not exclude a second one, only the signs of life count.

    A lease alone does not keep a holder from writing that wakes up after a successor took over: its
    transactions are fenced (`consumer.kafka.transaction`).

    Parameters
    ----------
    folder
        Folder of checkpoints.
    patience
        Seconds without a sign of life of the holder after which this consumer takes over; None: as
        the file system of the folder needs.
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
        patience: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._shared = mounts.is_shared(folder)
        usual = SHARED_TAKEOVER_SECONDS if self._shared else TAKEOVER_SECONDS
        self._patience = usual if patience is None else patience
        self._clock = clock
        self._id = uuid.uuid4().hex[:12]
        with _lease_errors(folder):
            self._own = self._create_own()
        self._locks = locks.excludes(self._file(self._id))
        self._report()
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
        watch, answers = signs.Watch(self._clock), True
        while not stopping():
            try:
                if self._try_to_take(watch, waiting):
                    return True
                answers = True
            except OSError as error:  # nothing is known of the holder meanwhile
                if answers:
                    log.warning(
                        "the folder of the lease does not answer, trying again",
                        folder=str(self._folder),
                        error=error.strerror,
                    )
                answers = False
                watch.restart()
            time.sleep(LOOK_SECONDS)
        return False

    def _try_to_take(self, watch: signs.Watch, waiting: Callable[[str], None]) -> bool:
        holder = self._holder()
        if holder is None:
            self._missing_since = min(self._missing_since, self._clock())
            if self._clock() - self._missing_since < MISSING_SECONDS:
                return False
        if not holder or self._is_dead(holder):
            return self._take()
        self._missing_since = math.inf
        if watch.silence((holder, self._count(holder))) > self._patience:
            return self._take()
        if not watch.notified:
            waiting(holder)
            watch.notified = True
        return False

    def fenced(self) -> bool:
        """Return whether another consumer holds the lease; cheap enough to call for each record."""
        if (now := time.monotonic()) >= self._checked + LOOK_SECONDS:
            # None: the folder was deleted, and this consumer will create the file again.
            with suppress(OSError):
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
        draft = self._file(f"{self._id}.new")
        with _lease_errors(self._folder):
            before = self._holder()
            draft.write_text(self._id)
            draft.replace(self._folder / LEASE)
        time.sleep(LOOK_SECONDS)
        with _lease_errors(self._folder):
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
                os.pwrite(self._own.fileno(), signs.COUNT % seconds, 0)
                if self._shared:  # else the write may stay in this machine's memory for long
                    os.fsync(self._own.fileno())

    def _create_own(self) -> IO[bytes]:
        """Create the file of this consumer, and lock it."""
        file = self._file(self._id).open("wb", buffering=0)
        file.write(signs.first())
        locks.lock(file)
        return file

    def _report(self) -> None:
        """Log what this folder means for a takeover, unless it is a local disk."""
        if self._shared or not self._locks:
            log.info(
                "other machines share this folder, or it has no locks: another consumer takes over"
                " only when the holder has given no sign of life for some time",
                folder=str(self._folder),
                seconds=self._patience,
            )

    def _reclaim(self) -> None:
        """Create the files of a deleted folder again, unless another consumer was faster."""
        self._folder.mkdir(parents=True, exist_ok=True)
        before, self._own = self._own, self._create_own()
        before.close()
        with (self._folder / LEASE).open("x") as file:
            file.write(self._id)

    def _holder(self) -> str | None:
        """Return the id of the holder, empty if the lease was released; None if there is no file.

        Raises
        ------
        OSError
            The file system does not answer.
        """
        try:
            return (self._folder / LEASE).read_text()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None

    def _is_dead(self, holder: str) -> bool:
        """Return whether a holder has certainly ended; False if only its silence can tell."""
        file = self._file(holder)
        if not self._locks or (self._shared and not signs.is_of_this_machine(file)):
            return False
        try:
            return locks.is_free(file)
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def _count(self, holder: str) -> bytes:
        return signs.read(self._file(holder)).seconds

    def _file(self, id_: str) -> Path:
        return self._folder / f"{LEASE}-{id_}"


@contextmanager
def _lease_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LeaseError(
            f"can't write the lease to {str(folder)!r} ({error.strerror});"
            f" {advice(error)}, or name another folder with --checkpoint-dir"
        ) from error
