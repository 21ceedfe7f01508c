"""Measure how long work waits for a commit."""

import math
import time
from collections.abc import Callable

GRACE_SECONDS = 30.0
"""Seconds that a commit may take after it was due; a broker that dies costs this much."""

SLOW_SECONDS = 60.0
"""Seconds after which a commit that has not succeeded is reported, whenever it was due."""

MINUTES_FROM_SECONDS = 120.0
"""Seconds from which a time is shown in minutes."""


class Punctuality:
    """Tells whether commits keep to their interval; any thread may ask.

    >>> now = 0.0
    >>> punctuality = Punctuality(60.0, lambda: now)
    >>> punctuality.changed()
    >>> now = 200.0
    >>> punctuality.problem("the disk is full")
    'no commit for 3 min: the disk is full'

    Parameters
    ----------
    seconds
        Longest time between two commits, in seconds, while there is something to commit.
    clock
        Monotonic clock in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._waiting = math.inf  # since when something waits for the next commit
        self._carried = math.inf  # since when what the present commit holds has waited
        self._tried = math.inf  # when the first attempt since the last success began

    def changed(self) -> None:
        """Note that something waits for a commit."""
        self._waiting = min(self._waiting, self._clock())

    def begun(self) -> None:
        """Note that a commit of everything that waits has begun."""
        self._tried = min(self._tried, self._clock())
        self._carried, self._waiting = self._waiting, math.inf

    def failed(self) -> None:
        """Note that the commit has failed: what it holds waits for the next one."""
        self._waiting, self._carried = min(self._waiting, self._carried), math.inf

    def succeeded(self) -> None:
        """Note that the commit has succeeded."""
        self._carried = self._tried = math.inf

    def overdue(self) -> float:
        """Return the seconds since a commit should have succeeded; 0 if none is missing."""
        return max(0.0, self._waited() - self._seconds)

    def problem(self, reason: str | None) -> str | None:
        """Return the complaint that no commit succeeds; None while commits keep to their interval.

        Parameters
        ----------
        reason
            Why the last attempt failed; None if it has not failed.
        """
        tried = self._clock() - self._tried
        if self.overdue() <= GRACE_SECONDS and tried <= SLOW_SECONDS:
            return None
        if reason is None and tried > 0.0:
            return f"a commit takes {tried:.0f} s"
        waited = max(self._waited(), tried)
        return f"no commit for {_shown(waited)}: {reason or 'none has begun'}"

    def _waited(self) -> float:
        """Return the seconds that the oldest uncommitted work has waited."""
        return self._clock() - min(self._waiting, self._carried)


def _shown(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= MINUTES_FROM_SECONDS else f"{seconds:.0f} s"
