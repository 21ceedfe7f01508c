"""Polling Kafka in a thread of its own, so that a long training step never costs membership."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, KafkaError

from service.errors import UserError

POLL_SECONDS = 0.01
PAUSE_SECONDS = 0.04
"""Between polls that bring nothing: some brokers answer at once, and the client asks again."""
STALLED_SECONDS = 60.0
LOOK_SECONDS = 2.0
CAPACITY_BYTES = 16 << 20

log = structlog.get_logger()


class PollError(UserError):
    """The Kafka client gave up."""


class Poller:
    """A bounded queue of records that a thread keeps filled.

    The thread owns the `KafkaConsumer`: nobody else touches it once `start` was called. While the
    queue is full the partitions are paused, and polling goes on. After a revocation the queued
    records of the lost partitions are thrown away: their next owner reads them.

    Parameters
    ----------
    consumer
        Connected and not subscribed; auto-commit off.
    topic
        What to subscribe to.
    capacity
        Records queued before partitions are paused; 16 MiB of them pause, too.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str, capacity: int) -> None:
        self._consumer = consumer
        self._topic = topic
        self._capacity = capacity
        self._changed = threading.Condition()
        self._records: deque[ConsumerRecord] = deque()
        self._bytes = 0
        self._requests: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._assigned: frozenset[int] = frozenset()
        self._ends: dict[int, int] = {}
        self._failure: BaseException | None = None
        self._stopping = threading.Event()
        self._polled = time.monotonic()
        self._next_look = -math.inf
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    @property
    def assigned(self) -> Collection[int]:
        """Partitions this consumer owns now."""
        return self._assigned

    @property
    def ends(self) -> Mapping[int, int]:
        """The end of each owned partition, as the broker last said."""
        return self._ends

    def complaint(self) -> str | None:
        """Say what is wrong with polling, if anything is."""
        if self._failure is not None:
            return f"polling failed: {self._failure}"
        silent = time.monotonic() - self._polled
        if self._thread.is_alive() and silent > STALLED_SECONDS:
            return f"no poll has ended for {silent:.0f} s"
        return None

    def not_ready(self) -> str | None:
        """Say why no documents can arrive yet, if so."""
        return self.complaint() or (None if self._assigned else "no partition is assigned yet")

    def start(self) -> None:
        """Join the group and begin to fill the queue."""
        self._consumer.subscribe([self._topic], listener=_Listener(self._revoked))
        self._thread.start()

    def take(self, timeout: float) -> ConsumerRecord | None:
        """Return the next record, or None after ``timeout`` seconds without one.

        Raises
        ------
        PollError
            The thread has died.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._records or self._failure, timeout)
            if self._records:
                record = self._records.popleft()
                self._bytes -= _size(record)
                return record
            if self._failure is not None:
                raise PollError(
                    f"reading {self._topic!r} failed: {self._failure}; nothing is lost: mend the"
                    " cause and start again, to go on from the last commit"
                ) from self._failure
            return None

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """Commit positions of the partitions owned now, and wait until the broker has them.

        Raises
        ------
        KafkaError
            The broker did not take the commit.
        """
        done: Future[None] = Future()

        def request() -> None:
            offsets = {
                TopicPartition(self._topic, partition): OffsetAndMetadata(offset, metadata, -1)
                for partition, offset in positions.items()
                if partition in self._assigned
            }
            if not offsets:
                raise CommitFailedError("no partition is ours at the moment")
            self._consumer.commit(offsets)

        with self._changed:
            if self._failure is not None:
                raise PollError(f"can't commit: {self._failure}") from self._failure
            self._requests.append((request, done))
        done.result()

    def close(self) -> None:
        """Stop the thread and leave the group."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._consumer.close(autocommit=False)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._serve_requests()
                self._poll()
        except Exception as error:  # noqa: BLE001 - handed to whoever takes next
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            self._serve_requests()

    def _poll(self) -> None:
        room = self._capacity - len(self._records) if self._bytes < CAPACITY_BYTES else 0
        # A rebalance forgets what was paused, so it is said anew each time.
        if room <= 0:
            self._consumer.pause(*self._consumer.assignment())
        else:
            self._consumer.resume(*self._consumer.paused())
        fetched: dict[Any, list[ConsumerRecord]] = self._consumer.poll(
            timeout_ms=int(POLL_SECONDS * 1000), max_records=max(room, 1)
        )
        self._polled = time.monotonic()
        owned = self._consumer.assignment()  # which polling may have changed
        if owned and self._polled >= self._next_look:
            self._look_at_ends(owned)
        with self._changed:
            self._assigned = frozenset(partition.partition for partition in owned)
            for records in fetched.values():
                self._records.extend(records)
                self._bytes += sum(map(_size, records))
            self._changed.notify_all()
        if not fetched:
            self._stopping.wait(PAUSE_SECONDS)

    def _look_at_ends(self, owned: Collection[TopicPartition]) -> None:
        """Ask where the partitions end: fetched records tell only what was true back then."""
        self._next_look = time.monotonic() + LOOK_SECONDS
        with suppress(KafkaError):  # the last answer stands
            ends = self._consumer.end_offsets(owned, timeout_ms=int(LOOK_SECONDS * 1000))
            self._ends = {tp.partition: end for tp, end in ends.items()}

    def _serve_requests(self) -> None:
        while True:
            with self._changed:
                if not self._requests:
                    return
                request, done = self._requests.popleft()
            try:
                request()
            except Exception as error:  # noqa: BLE001 - handed to whoever waits
                done.set_exception(error)
            else:
                done.set_result(None)

    def _revoked(self, lost: Collection[TopicPartition]) -> None:
        """Forget queued records of lost partitions. Runs on the Kafka client's IO thread."""
        numbers = {partition.partition for partition in lost}
        with self._changed:
            self._records = deque(r for r in self._records if r.partition not in numbers)
            self._bytes = sum(map(_size, self._records))
            self._assigned = frozenset(self._assigned - numbers)


def _size(record: ConsumerRecord) -> int:
    return len(record.value or b"")


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, revoked: Callable[[Collection[TopicPartition]], None]) -> None:
        self._revoked = revoked

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if revoked:
            log.info("partitions revoked", partitions=sorted(tp.partition for tp in revoked))
        self._revoked(revoked)

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        self.on_partitions_revoked(lost)

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        if assigned:
            log.info("partitions assigned", partitions=sorted(tp.partition for tp in assigned))
