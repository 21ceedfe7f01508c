"""Ctrl-C and SIGTERM as requests to end in an orderly way."""

import signal
import time
from types import FrameType, TracebackType
from typing import Self

WAKE_SECONDS = 0.1

GRACE_SECONDS = 15.0
"""Seconds that unfinished work may still take after a signal."""


class StoppedError(Exception):
    """A signal has come while the program waited for something else."""


class Shutdown:
    """Records the first SIGINT or SIGTERM; the second one ends the program at once.

    The signal handler only sets a flag. If it took a lock, it could wait for the very thread that
    it interrupts.
    """

    def __init__(self) -> None:
        self.requested = False
        self._since = 0.0

    def __enter__(self) -> Self:
        self._handlers = {
            number: signal.signal(number, self._request)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def overdue(self) -> bool:
        """Return whether the signal is so long ago that unfinished work must be given up."""
        return self.requested and time.monotonic() - self._since > GRACE_SECONDS

    def sleep(self, seconds: float) -> None:
        """Sleep for some seconds, or until shortly after a signal."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, WAKE_SECONDS))

    def _request(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's own
        self._since = time.monotonic()
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
