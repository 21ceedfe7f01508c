"""Decide how long the records of some partitions wait for those of others."""

from collections.abc import Iterable

PATIENCE_SECONDS = 2.0
"""Seconds without any fetch after which queued records wait no longer for a partition."""


class Missing:
    """Partitions with unread records of which none is queued, and since when others wait for them.

    If no record arrives for `PATIENCE_SECONDS`, queued records wait for these partitions no longer,
    until one of them is fetched.

    Parameters
    ----------
    partitions
        Partitions that are missing at first.

    Attributes
    ----------
    partitions
        Partitions that are missing.
    """

    def __init__(self, partitions: Iterable[int]) -> None:
        self.partitions = set(partitions)
        self._since: dict[int, float] = {}

    def __bool__(self) -> bool:
        """Return whether any partition is missing."""
        return bool(self.partitions)

    def add(self, partition: int) -> None:
        """Add a partition; nothing waits for it yet."""
        self.partitions.add(partition)

    def discard(self, partition: int) -> None:
        """Remove a partition that is not missing."""
        self.partitions.discard(partition)
        self._since.pop(partition, None)

    def wait(self, now: float) -> bool:
        """Let queued records wait, and return whether they still have to.

        Parameters
        ----------
        now
            Seconds of the monotonic clock.
        """
        for partition in self.partitions:
            self._since.setdefault(partition, now)
        return self.partitions != self.given_up(now)

    def wait_again(self, now: float) -> None:
        """Count the time from now on, after a fetch of others: partitions take turns."""
        given_up = self.given_up(now)
        self._since = {p: self._since[p] if p in given_up else now for p in self._since}

    def holds_up(self, now: float) -> bool:
        """Return whether queued records wait for a partition."""
        return bool(self._since.keys() - self.given_up(now))

    def given_up(self, now: float) -> set[int]:
        """Return the partitions that queued records have waited for in vain."""
        return {p for p, since in self._since.items() if now - since >= PATIENCE_SECONDS}
