"""Queue fetched records between the thread that polls Kafka and the loop that learns."""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from kafka.consumer.fetcher import ConsumerRecord

from newsreel.events import cloudevents

CAPACITY_BYTES = 16 << 20
"""Bytes of keys, values and headers above which a queue is full."""

IN_TOUCH_SECONDS = 10.0
"""Seconds without an answer after which the broker counts as away."""


class RecordQueue:
    """A bounded queue of records, and what the broker last said about their partitions.

    One thread fills the queue (`put`, `set_positions`, `set_ends`, `skip`, `fail`), another takes
    records. All state is guarded by one lock.

    Parameters
    ----------
    positions
        Next offset to fetch, by partition.
    capacity
        Records after which the queue is full; 16 MiB of them fill it, too.
    """

    def __init__(self, positions: Mapping[int, int], capacity: int) -> None:
        self._capacity = capacity
        self._changed = threading.Condition()  # its lock guards everything below
        self._positions = dict(positions)
        self._records: deque[ConsumerRecord] = deque()
        self._queued: Counter[int] = Counter()
        self._bytes = 0
        self._taken = 0
        # One entry for each fetch: number of records taken before its first one, and its time.
        self._fetches: deque[tuple[int, float]] = deque()
        self._polled = time.monotonic()
        self._gap_ends: Counter[int] = Counter()
        self._ends: dict[int, int] = {}
        self._answered = -math.inf
        self._failure: Exception | None = None

    # --- what the polling thread calls ----------------------------------------------------------

    @property
    def room(self) -> int:
        """Number of records that still fit."""
        with self._changed:
            if self._bytes >= CAPACITY_BYTES:
                return 0
            return max(0, self._capacity - len(self._records))

    @property
    def partitions(self) -> set[int]:
        """Partitions that are read."""
        with self._changed:
            return set(self._positions)

    def put(
        self, records: Sequence[ConsumerRecord], positions: Mapping[int, int], polled: float
    ) -> None:
        """Append the records of one fetch.

        Parameters
        ----------
        records
            Records in the order of their partitions; may be empty.
        positions
            Next offset to fetch after them, by partition.
        polled
            When they were fetched, in seconds of the monotonic clock.
        """
        with self._changed:
            if records:
                self._fetches.append((self._taken + len(self._records), polled))
            self._records.extend(records)
            self._queued.update(record.partition for record in records)
            self._bytes += sum(map(_size, records))
            self._polled = polled
            self._positions.update(positions)
            self._changed.notify_all()

    def set_positions(self, positions: Mapping[int, int]) -> None:
        """Set the next offset to fetch of some partitions."""
        with self._changed:
            self._positions.update(positions)

    def set_ends(self, ends: Mapping[int, int], asked: float) -> None:
        """Set where the partitions end, as of ``asked`` in seconds of the monotonic clock."""
        with self._changed:
            self._ends = dict(ends)
            self._answered = asked

    def skip(self, partition: int, offset: int) -> None:
        """Note that the records of a partition before an offset were deleted before a fetch."""
        with self._changed:
            self._gap_ends[partition] = offset

    def fail(self, error: Exception) -> None:
        """End the queue: once it is empty, taking raises the error."""
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    # --- what the loop calls --------------------------------------------------------------------

    @property
    def failure(self) -> Exception | None:
        """Error that has ended the queue, if any."""
        with self._changed:
            return self._failure

    @property
    def silence(self) -> float:
        """Seconds since the broker last said where the partitions end."""
        with self._changed:
            return max(0.0, time.monotonic() - self._answered)

    @property
    def in_touch(self) -> bool:
        """Whether the broker has lately said where the partitions end."""
        return self.silence < IN_TOUCH_SECONDS

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return the number of records after some positions, by partition, as last answered.

        Where no record of a partition is queued, all that was fetched is taken: offsets up to the
        next fetch, such as the markers of transactions, hold no record.
        """
        with self._changed:
            lag = {}
            for partition, end in self._ends.items():
                position = positions.get(partition, 0)
                if not self._queued[partition]:
                    position = max(position, self._positions.get(partition, 0))
                lag[partition] = max(0, end - position)
            return lag

    @property
    def waits_since(self) -> float:
        """When the next record was fetched, in seconds of the monotonic clock."""
        with self._changed:
            return self._fetches[0][1] if self._fetches else self._polled

    def settled(self, since: float) -> bool:
        """Return whether every record is taken that was in the topic at a time.

        Parameters
        ----------
        since
            The time, in seconds of the monotonic clock.
        """
        with self._changed:
            return (
                not self._records
                and self._answered >= since
                and not any(end > self._positions.get(p, 0) for p, end in self._ends.items())
            )

    def past_gap(self, partition: int, position: int) -> int:
        """Return the next position of a partition, after a gap of deleted records if there is one.

        The gap counts once every record that was fetched before it is taken.
        """
        with self._changed:
            if self._queued[partition]:
                return position
            return max(position, self._gap_ends[partition])

    def peek(self) -> ConsumerRecord | None:
        """Return the next record without taking it, or None.

        Raises
        ------
        UserError
            Polling has failed.
        """
        with self._changed:
            if self._records:
                return self._records[0]
            self._raise_failure()
            return None

    def take(self, timeout: float) -> ConsumerRecord | None:
        """Take the next record; None after ``timeout`` seconds without one.

        Raises
        ------
        UserError
            Polling has failed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._records or self._failure, timeout)
            if not self._records:
                self._raise_failure()
                return None
            record = self._records.popleft()
            self._taken += 1
            while len(self._fetches) > 1 and self._fetches[1][0] <= self._taken:
                self._fetches.popleft()
            self._bytes -= _size(record)
            self._queued[record.partition] -= 1
            return record

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _size(record: ConsumerRecord) -> int:
    return len(record.key or b"") + len(record.value or b"") + cloudevents.size(record.headers)
