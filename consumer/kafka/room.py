"""Share the room of a queue among partitions, so that none of them fills the queue alone."""

from typing import NamedTuple

from consumer.kafka.time_order import TimeOrder

CAPACITY_BYTES = 16 << 20
"""Bytes of keys, values and headers above which a queue is full."""

LEAST_SHARE = 32
"""Records of each partition that fit, however many partitions share the queue."""


class Room(NamedTuple):
    """What fits into a queue."""

    partitions: set[int]
    """Partitions to fetch."""

    records: int
    """Records that fit of each of these partitions; at least 1."""


class Shares:
    """Shares of partitions in a queue: even ones, among those that have records to read.

    A partition whose share is full is fetched again once half of its share is free, so that polls
    return many records at a time.

    Parameters
    ----------
    capacity
        Records of all partitions; beside that, 16 MiB are shared.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._full: set[int] = set()

    def room(self, queued: TimeOrder, missing: set[int], candidates: set[int]) -> Room:
        """Return which partitions to fetch, and how many records.

        Parameters
        ----------
        queued
            Records in the queue.
        missing
            Partitions with unread records of which none is queued.
        candidates
            Partitions that may be fetched.
        """
        if queued.size >= CAPACITY_BYTES:
            return Room(missing & candidates, 1)
        share = self._share(queued, missing)
        size = CAPACITY_BYTES // max(1, queued.parallel + len(missing))
        for partition in candidates:
            count, bytes_ = queued.count(partition), queued.size_of(partition)
            if count >= share or bytes_ >= size:
                self._full.add(partition)
            elif count <= share // 2 and bytes_ <= size // 2:
                self._full.discard(partition)
        partitions = candidates - self._full
        free = (share - queued.count(partition) for partition in partitions)
        return Room(partitions, min(free, default=1))

    def has_gained(self, queued: TimeOrder, missing: set[int], partition: int) -> bool:
        """Return whether taking the last record of a partition may have made room for it."""
        count = queued.count(partition)
        return count == 0 or count == self._share(queued, missing) // 2

    def _share(self, queued: TimeOrder, missing: set[int]) -> int:
        even = self._capacity // max(1, queued.parallel + len(missing))
        return max(even, min(LEAST_SHARE, self._capacity))
