"""Polling Kafka in a thread of its own, so that neither waits for the other."""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, OffsetOutOfRangeError

from newsreel.common.errors import UserError
from newsreel.events import cloudevents

POLL_SECONDS = 0.01

PAUSE_SECONDS = 0.04
"""Between polls that bring nothing: some brokers answer at once, and the client asks again."""

RETRY_SECONDS = 1.0

STALLED_SECONDS = 60.0

LOOK_SECONDS = 2.0

IN_TOUCH_SECONDS = 10.0

CAPACITY_BYTES = 16 << 20

RESPONSE_BYTES = 1 << 30
"""What a broker may send at once. Kafka keeps to what is asked for; some send all that waits, and
a client that takes less would ask for the same again and again."""

METADATA_MS = 30_000
"""How old the client's knowledge of partitions may be: so long until gained ones are read."""

LostOffsets = Literal["stop", "continue"]

log = structlog.get_logger()


class PollError(UserError):
    """The Kafka client gave up."""


class PollObserver(Protocol):
    """Told of what happens to polling, by the thread that polls."""

    def poll_retried(self) -> None:
        """Take in a read that failed at the broker."""
        ...

    def records_lost(self, records: int) -> None:
        """Take in that records were deleted before they were read."""
        ...


class Poller:
    """A bounded queue of records that a thread keeps filled.

    The thread owns the `KafkaConsumer`: nobody else touches it once `start` was called. All
    partitions of the topic are read, those it gains meanwhile from their beginning. While the
    queue is full they are paused. While the broker is away, it waits.

    Parameters
    ----------
    consumer
        Connected, with nothing assigned; auto-commit off, no offset reset.
    topic
        What to read.
    positions
        Where to begin, by partition.
    capacity
        Records queued before partitions are paused; 16 MiB of them pause, too.
    lost_offsets
        What to do when records between a position and the beginning of its partition are gone
        from the topic: stop, or go on and count them.
    observer
        Told of both.
    look_seconds
        How often the broker is asked where the partitions end.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        topic: str,
        positions: Mapping[int, int],
        capacity: int,
        lost_offsets: LostOffsets,
        observer: PollObserver,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._positions = dict(positions)
        self._capacity = capacity
        self._lost_offsets = lost_offsets
        self._observer = observer
        self._look_seconds = look_seconds
        self._changed = threading.Condition()
        self._records: deque[ConsumerRecord] = deque()
        # When records were fetched: from which on, of all that were ever taken, and since when.
        self._fetched: deque[tuple[int, float]] = deque()
        self._taken = 0
        self._queued: Counter[int] = Counter()
        self._gaps: Counter[int] = Counter()
        self._bytes = 0
        self._ends: dict[int, int] = {}
        self._failure: BaseException | None = None
        self._stopping = threading.Event()
        self._polled = time.monotonic()
        self._looked = -math.inf
        self._away = False
        self._next_look = -math.inf
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    @property
    def silence(self) -> float:
        """Seconds since the broker last said where the partitions end."""
        return max(0.0, time.monotonic() - self._looked)

    @property
    def in_touch(self) -> bool:
        """Whether the broker has lately said where the partitions end."""
        return self.silence < IN_TOUCH_SECONDS

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return how many records wait behind some positions, by partition, as last heard.

        Where nothing is queued, all that was fetched was taken: what lies between, such as the
        marks of transactions, is no record.
        """
        with self._changed:
            return {
                partition: max(0, end - self._reached(partition, positions.get(partition, 0)))
                for partition, end in self._ends.items()
            }

    @property
    def waits_since(self) -> float:
        """When the record that is taken next was fetched, in seconds of the monotonic clock."""
        with self._changed:
            return self._fetched[0][1] if self._fetched else self._polled

    def settled(self, since: float) -> bool:
        """Whether all is taken that was there at a time, in seconds of the monotonic clock."""
        with self._changed:
            return (
                not self._records
                and self._looked >= since
                and not any(end > self._positions.get(p, 0) for p, end in self._ends.items())
            )

    def peek(self) -> ConsumerRecord | None:
        """Return the record that is taken next, if there is one.

        Raises
        ------
        PollError
            The thread has died.
        """
        with self._changed:
            self._check()
            return self._records[0] if self._records else None

    def past_gap(self, partition: int, position: int) -> int:
        """Return where a partition goes on, should records behind a position have been lost.

        Not before all that was fetched in front of them is taken.
        """
        with self._changed:
            return position if self._queued[partition] else max(position, self._gaps[partition])

    def problem(self) -> str | None:
        """Return what is wrong with polling, or None."""
        if self._failure is not None:
            return f"polling failed: {self._failure}"
        silent = time.monotonic() - self._polled
        if self._thread.is_alive() and silent > STALLED_SECONDS:
            return f"no poll has ended for {silent:.0f} s"
        return None

    def not_ready(self) -> str | None:
        """Say why no documents can arrive now, if so."""
        return self.problem() or (None if self.in_touch else "the broker does not answer")

    def start(self) -> None:
        """Begin to fill the queue."""
        self._assign(self._positions)
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
                self._taken += 1
                while len(self._fetched) > 1 and self._fetched[1][0] <= self._taken:
                    self._fetched.popleft()
                self._bytes -= _size(record)
                self._queued[record.partition] -= 1
                return record
            self._check()
            return None

    def _check(self) -> None:
        if isinstance(self._failure, UserError) and not self._records:
            raise self._failure
        if self._failure is not None and not self._records:
            raise PollError(
                f"reading {self._topic!r} failed: {self._failure}; nothing is lost: mend the"
                " cause and start again, to go on from the last commit"
            ) from self._failure

    def close(self) -> None:
        """Stop the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(RETRY_SECONDS + STALLED_SECONDS)
        self._consumer.close(autocommit=False)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    try:
                        self._poll()
                    except OffsetOutOfRangeError as error:
                        self._skip(error)
                except KafkaError as error:
                    if not error.retriable:
                        raise
                    log.warning("reading failed, trying again", error=str(error))
                    self._observer.poll_retried()
                    self._stopping.wait(RETRY_SECONDS)
        except Exception as error:  # noqa: BLE001 - handed to whoever takes next
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _poll(self) -> None:
        room = self._capacity - len(self._records) if self._bytes < CAPACITY_BYTES else 0
        if room <= 0:
            self._consumer.pause(*self._consumer.assignment())
        else:
            self._consumer.resume(*self._consumer.paused())
        fetched: dict[Any, list[ConsumerRecord]] = self._consumer.poll(
            timeout_ms=int(POLL_SECONDS * 1000), max_records=max(room, 1)
        )
        self._polled = time.monotonic()
        # To ask for a position can take long: whoever takes records must not wait for it.
        reached = {tp.partition: self._consumer.position(tp) for tp in self._consumer.assignment()}
        with self._changed:
            if fetched:
                self._fetched.append((self._taken + len(self._records), self._polled))
            for tp, records in fetched.items():
                self._records.extend(records)
                self._queued[tp.partition] += len(records)
                self._bytes += sum(map(_size, records))
            self._positions |= reached
            self._changed.notify_all()
        if self._polled >= self._next_look:
            self._look()
        if not fetched:
            self._stopping.wait(PAUSE_SECONDS)

    def _look(self) -> None:
        """Ask which partitions there are and where they end."""
        asked = time.monotonic()
        self._next_look = asked + self._look_seconds
        try:
            known = self._consumer.partitions_for_topic(self._topic) or set()
            new = [TopicPartition(self._topic, n) for n in known - self._positions.keys()]
            if new:
                found = self._consumer.beginning_offsets(new)
                log.info("partitions gained", partitions=sorted(tp.partition for tp in new))
                self._assign({tp.partition: offset for tp, offset in found.items()})
            ends = self._consumer.end_offsets(
                self._consumer.assignment(), timeout_ms=int(LOOK_SECONDS * 1000)
            )
        except KafkaError as error:  # the last answer stands
            if not self._away:
                log.warning("the broker does not answer", error=str(error))
            self._away = True
            return
        if self._away:
            log.info("the broker answers again")
        self._away = False
        with self._changed:
            self._looked = asked
            self._ends = {tp.partition: end for tp, end in ends.items()}

    def _assign(self, new: Mapping[int, int]) -> None:
        owned = {tp: self._consumer.position(tp) for tp in self._consumer.assignment()}
        owned |= {TopicPartition(self._topic, number): at for number, at in new.items()}
        self._consumer.assign(list(owned))
        for tp, offset in owned.items():
            self._consumer.seek(tp, offset)
            self._positions[tp.partition] = offset

    def _skip(self, error: OffsetOutOfRangeError) -> None:
        """Go on behind records that are gone, or say that they are.

        Raises
        ------
        PollError
        """
        owned = self._consumer.assignment()
        beginnings = self._consumer.beginning_offsets(owned)
        ends = self._consumer.end_offsets(owned)
        for tp in owned:
            position = self._consumer.position(tp)
            gone = beginnings[tp] - position
            where = f"partition {tp.partition} of {self._topic!r}"
            if position > ends[tp]:
                raise PollError(
                    f"{where} ends at {ends[tp]}, before the position {position}: the topic was"
                    " made anew; start afresh with another --checkpoint-dir and --group"
                ) from error
            if gone > 0 and self._lost_offsets == "stop":
                raise PollError(
                    f"{where} begins at {beginnings[tp]}: {gone} records from {position} on were"
                    " deleted before they were read (retention). To go on without them, and count"
                    " them, start with --lost-offsets continue"
                ) from error
            if gone > 0:
                log.error("records lost", partition=tp.partition, records=gone)
                self._observer.records_lost(gone)
                self._consumer.seek(tp, beginnings[tp])
                with self._changed:
                    self._gaps[tp.partition] = beginnings[tp]

    def _reached(self, partition: int, position: int) -> int:
        if self._queued[partition]:
            return position
        return max(position, self._positions.get(partition, 0))


def connect(options: Mapping[str, Any]) -> KafkaConsumer:
    """Connect for `Poller`: no group, no offset but those it is given."""
    return KafkaConsumer(
        **options,
        metadata_max_age_ms=METADATA_MS,
        receive_message_max_bytes=RESPONSE_BYTES,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )


def beginnings(consumer: KafkaConsumer, topic: str) -> dict[int, int]:
    """Return where each partition of a topic begins."""
    partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
    return {tp.partition: at for tp, at in consumer.beginning_offsets(partitions).items()}


def _size(record: ConsumerRecord) -> int:
    return len(record.key or b"") + len(record.value or b"") + cloudevents.size(record.headers)
