"""Queue fetched records between the thread that polls Kafka and the loop that learns."""

import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from kafka.consumer.fetcher import ConsumerRecord

from consumer.kafka.fetched import Fetched, Trouble
from consumer.kafka.room import Room, Shares
from consumer.kafka.time_order import TimeOrder
from consumer.kafka.waiting import Missing

WAKE_SECONDS = 0.1
"""Seconds between two checks whether records have waited long enough for a partition."""

IN_TOUCH_SECONDS = 10.0
"""Seconds without an answer after which the broker counts as away."""


class RecordQueue:
    """A bounded queue of records, and what the broker last said about their partitions.

    Records of several partitions are taken in the order of their timestamps, so a backlog is read
    as it was written, and not one partition after the other. For that, a record waits while a
    partition is known to have records of which none is queued, for a while (see `Missing`).
    Partitions that are read to their end delay nothing, and a record without a timestamp does not
    wait.

    One thread fills the queue (`put`, `set_positions`, `set_ends`, `skip`, `fail`), another takes
    records. All state is guarded by one lock.

    Parameters
    ----------
    positions
        Next offset to fetch, by partition.
    capacity
        Records after which the queue is full; 16 MiB of them fill it, too. Partitions with records
        share this room evenly. Each has room for 32 records, and for one of any size.
    """

    def __init__(self, positions: Mapping[int, int], capacity: int) -> None:
        self._changed = threading.Condition()  # its lock guards everything below
        self._fetched = Fetched(positions)
        self._records = TimeOrder()
        self._shares = Shares(capacity)
        self._polled = time.monotonic()
        self._answered = -math.inf
        self._failure: Exception | None = None
        self._missing = Missing(self._fetched.behind)

    # --- what the polling thread calls ----------------------------------------------------------

    def room(self) -> Room:
        """Return which partitions to fetch, and how many records.

        Partitions that others wait for come first. While some partitions have a backlog, those that
        were read to their end are not fetched: the broker would hold such a request back.
        """
        with self._changed:
            return self._room()

    def wait_for_room(self, timeout: float) -> None:
        """Wait until a partition has room, for ``timeout`` seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._room().partitions, timeout)

    @property
    def partitions(self) -> set[int]:
        """Partitions that are read."""
        with self._changed:
            return self._fetched.partitions

    @property
    def missing(self) -> set[int]:
        """Partitions with unread records of which none is queued."""
        with self._changed:
            return set(self._missing.partitions)

    @property
    def behind(self) -> bool:
        """Whether some partition has a backlog."""
        with self._changed:
            return bool(self._fetched.behind - self._missing.given_up(time.monotonic()))

    @property
    def waits(self) -> bool:
        """Whether queued records wait for a partition to be fetched."""
        with self._changed:
            return self._missing.holds_up(time.monotonic())

    def put(
        self, records: Sequence[ConsumerRecord], positions: Mapping[int, int], polled: float
    ) -> None:
        """Add the records of one fetch.

        Parameters
        ----------
        records
            Records, those of each partition in their order; may be empty.
        positions
            Next offset to fetch after them, by partition; may leave out partitions without records.
        polled
            When they were fetched, in seconds of the monotonic clock.
        """
        with self._changed:
            self._records.add(records, polled)
            self._polled = polled
            self._fetched.move(positions)
            if records:
                self._missing.wait_again(polled)
            self._find_missing(positions)

    def set_positions(self, positions: Mapping[int, int]) -> None:
        """Set the next offset to fetch of some partitions."""
        with self._changed:
            self._fetched.move(positions)
            self._find_missing(positions)

    def set_ends(
        self,
        ends: Mapping[int, int],
        positions: Mapping[int, int],
        asked: float,
        high: Mapping[int, int] | None = None,
        trouble: Trouble = Trouble(),  # noqa: B008 - immutable
    ) -> None:
        """Set where the partitions end.

        Parameters
        ----------
        ends
            Offset up to which each partition can be read, as far as known.
        positions
            Next offset to fetch, by partition.
        asked
            When the broker was asked, in seconds of the monotonic clock.
        high
            Offset after the last record of each partition; by default, the same as ``ends``. The
            records between them belong to open transactions, or wait for one.
        trouble
            Partitions that can't be read as they should be.
        """
        with self._changed:
            self._fetched.move(positions)
            self._fetched.set_ends(ends, ends if high is None else high, trouble)
            self._answered = asked
            self._find_missing(self._fetched.partitions)

    def skip(self, partition: int, offset: int) -> None:
        """Move the next offset to fetch over records that were deleted, or back before lost ones.

        Queued records from that offset on are lost, too, and are not taken.
        """
        with self._changed:
            self._records.drop(partition, offset)
            self._fetched.skip(partition, offset)
            self._find_missing([partition])

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
        """Whether the stream may be idle: the broker answers, and no record waits anywhere.

        A record waits in the queue, behind an open transaction, in a partition that is not fetched,
        and perhaps in a partition whose end is not known.
        """
        with self._changed:
            return (
                time.monotonic() - self._answered < IN_TOUCH_SECONDS
                and not self._records
                and self._fetched.exhausted
            )

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return the number of records after some positions, by partition, as last answered.

        Where no record is queued, all that was fetched is taken: the markers of transactions do not
        count.
        """
        with self._changed:
            return self._fetched.lag(positions, self._records.partitions)

    @property
    def waits_since(self) -> float:
        """When the next record was fetched, in seconds of the monotonic clock."""
        with self._changed:
            return self._records.first.fetched if self._records else self._polled

    def settled(self, since: float) -> bool:
        """Return whether every record is taken that was in the topic at a time.

        Parameters
        ----------
        since
            The time, in seconds of the monotonic clock.
        """
        with self._changed:
            return not self._records and self._answered >= since and self._fetched.to_the_ends

    def past_gap(self, partition: int, position: int) -> int:
        """Return the next position of a partition, after a gap of deleted records if there is one.

        The gap counts once every record that was fetched before it is taken.
        """
        with self._changed:
            if self._records.count(partition):
                return position
            return self._fetched.past_gap(partition, position)

    def peek(self) -> ConsumerRecord | None:
        """Return the next record without taking it; None while none may be taken.

        Raises
        ------
        UserError
            Polling has failed.
        """
        with self._changed:
            return self._records.first.record if self._is_ready() else None

    def take(self, timeout: float) -> ConsumerRecord | None:
        """Take the next record; None after ``timeout`` seconds without one.

        Raises
        ------
        UserError
            Polling has failed.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._is_ready():
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(min(left, WAKE_SECONDS))
            record = self._records.pop()
            partition = record.partition
            self._fetched.took(partition)
            if partition in self._fetched.behind and not self._records.count(partition):
                self._missing.add(partition)
            if self._shares.has_gained(self._records, self._missing.partitions, partition):
                self._changed.notify_all()
            return record

    # --- with the lock held ---------------------------------------------------------------------

    def _is_ready(self) -> bool:
        """Return whether a record may be taken now.

        Raises
        ------
        UserError
            Polling has failed, and no record is left.
        """
        if not self._records:
            if self._failure is not None:
                raise self._failure
            return False
        if not self._missing or self._failure or self._records.first.record.timestamp < 0:
            return True
        return not self._missing.wait(time.monotonic())

    def _room(self) -> Room:
        missing = self._missing.partitions
        given_up = self._missing.given_up(time.monotonic())
        candidates = self._fetched.partitions - self._fetched.trouble.leaderless
        if missing - given_up:
            candidates = missing
        elif self._fetched.behind - given_up:
            candidates = self._fetched.behind
        return self._shares.room(self._records, missing, candidates)

    def _find_missing(self, changed: Iterable[int]) -> None:
        behind = self._fetched.behind
        for partition in changed:
            if partition in behind and not self._records.count(partition):
                self._missing.add(partition)
            else:
                self._missing.discard(partition)
        self._changed.notify_all()
