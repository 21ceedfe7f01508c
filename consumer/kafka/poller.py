"""Poll Kafka in a thread of its own, so that learning never delays a poll."""

import math
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, OffsetOutOfRangeError

from consumer.kafka.record_queue import IN_TOUCH_SECONDS, RecordQueue
from newsreel.common.errors import UserError

POLL_SECONDS = 0.01

PAUSE_SECONDS = 0.04
"""Seconds between polls that return nothing: some brokers do not wait for records themselves."""

RETRY_SECONDS = 1.0
"""Seconds after a failed poll before the next one."""

STALLED_SECONDS = 60.0
"""Seconds without a poll after which polling counts as stalled."""

LOOK_SECONDS = 2.0
"""Seconds between two questions for partitions and where they end."""

LostOffsets = Literal["stop", "continue"]

log = structlog.get_logger()


class PollError(UserError):
    """Records of the topic are no longer readable."""


class PollObserver(Protocol):
    """Counts what happens to polling; called by the thread that polls."""

    def poll_retried(self) -> None:
        """Count a poll that failed at the broker."""
        ...

    def records_lost(self, records: int) -> None:
        """Count records that were deleted before they were read."""
        ...


class Poller:
    """A thread that keeps a bounded queue filled with the records of a topic.

    The thread owns the `KafkaConsumer`; nothing else may use the client after `start`. All
    partitions of the topic are read, and partitions that are added later from their beginning. A
    partition is paused while its share of the queue is full. While the broker is away, polls are
    tried again.

    Parameters
    ----------
    consumer
        Client without an assignment, see `consumer.kafka.client.connect`.
    topic
        Topic to read.
    positions
        First offset to read, by partition.
    capacity
        Records queued before partitions are paused; 16 MiB of them pause them, too.
    lost_offsets
        What to do when records after a position were deleted from the topic before they were read:
        "stop", or "continue" and count them.
    observer
        Counts failed polls and lost records.
    look_seconds
        Seconds between two questions for partitions and where they end.

    Attributes
    ----------
    queue
        Records to take.
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
        self.queue = RecordQueue(positions, capacity)
        self._consumer = consumer
        self._topic = topic
        self._first_positions = positions
        self._lost_offsets = lost_offsets
        self._observer = observer
        self._look_seconds = look_seconds
        self._stopping = threading.Event()
        self._polled = time.monotonic()
        self._next_look = -math.inf
        self._away = False
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def problem(self) -> str | None:
        """Return what is wrong with polling, or None."""
        failure = self.queue.failure
        if failure is not None:
            return str(failure)
        silent = time.monotonic() - self._polled
        if self._thread.is_alive() and silent > STALLED_SECONDS:
            return f"no poll has ended for {silent:.0f} s"
        return None

    def not_ready(self) -> str | None:
        """Return why no records can arrive now, or None."""
        away = self.queue.silence >= IN_TOUCH_SECONDS
        return self.problem() or ("the broker does not answer" if away else None)

    def start(self) -> None:
        """Start the thread."""
        self._assign(self._first_positions)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close the client."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(RETRY_SECONDS + STALLED_SECONDS)
        self._consumer.close(autocommit=False)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._poll_or_wait()
        except UserError as error:
            self.queue.fail(error)
        except Exception as error:  # noqa: BLE001 - raised in the thread that takes records
            failure = PollError(
                f"reading {self._topic!r} failed: {error}; nothing is lost: fix the cause and start"
                " again, to continue from the last commit"
            )
            failure.__cause__ = error
            self.queue.fail(failure)

    def _poll_or_wait(self) -> None:
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

    def _poll(self) -> None:
        if time.monotonic() >= self._next_look:
            self._look()
        room = self.queue.room()
        self._fetch_only(room.partitions)
        fetched: dict[TopicPartition, list[ConsumerRecord]] = self._consumer.poll(
            timeout_ms=int(POLL_SECONDS * 1000), max_records=room.records
        )
        self._polled = time.monotonic()
        # Asking for positions takes long, so only those are asked for that may have passed offsets
        # without a record, such as the markers of transactions.
        positions = {tp.partition: found[-1].offset + 1 for tp, found in fetched.items() if found}
        if not positions:
            positions = self._positions(TopicPartition(self._topic, n) for n in self.queue.missing)
        records = [record for part in fetched.values() for record in part]
        self.queue.put(records, positions, self._polled)
        if not room.partitions:
            self.queue.wait_for_room(PAUSE_SECONDS)
        elif not records and not self.queue.waits:
            self._stopping.wait(PAUSE_SECONDS)

    def _fetch_only(self, partitions: set[int]) -> None:
        """Pause all other partitions."""
        paused = self._consumer.paused()
        others = {tp for tp in self._consumer.assignment() if tp.partition not in partitions}
        self._consumer.pause(*(others - paused))
        self._consumer.resume(*(paused - others))

    def _look(self) -> None:
        """Ask the broker for the partitions of the topic and where they end."""
        asked = time.monotonic()
        self._next_look = asked + self._look_seconds
        try:
            partitions = self._consumer.partitions_for_topic(self._topic) or set()
            added = [TopicPartition(self._topic, n) for n in partitions - self.queue.partitions]
            if added:
                beginnings = self._consumer.beginning_offsets(added)
                log.info("partitions added", partitions=sorted(tp.partition for tp in added))
                self._assign({tp.partition: offset for tp, offset in beginnings.items()})
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
        positions = self._positions(self._consumer.assignment())
        self.queue.set_ends({tp.partition: end for tp, end in ends.items()}, positions, asked)

    def _positions(self, partitions: Iterable[TopicPartition]) -> dict[int, int]:
        return {tp.partition: self._consumer.position(tp) for tp in partitions}

    def _assign(self, added: Mapping[int, int]) -> None:
        """Read some partitions from their positions on, beside those that are read already."""
        positions = self._positions(self._consumer.assignment()) | dict(added)
        self._consumer.assign([TopicPartition(self._topic, number) for number in positions])
        for number, offset in positions.items():
            self._consumer.seek(TopicPartition(self._topic, number), offset)
        self.queue.set_positions(positions)

    def _skip(self, error: OffsetOutOfRangeError) -> None:
        """Continue after records that were deleted, or raise.

        Raises
        ------
        PollError
        """
        assigned = self._consumer.assignment()
        beginnings = self._consumer.beginning_offsets(assigned)
        ends = self._consumer.end_offsets(assigned)
        for tp in assigned:
            position = self._consumer.position(tp)
            lost = beginnings[tp] - position
            where = f"partition {tp.partition} of {self._topic!r}"
            if position > ends[tp]:
                raise PollError(
                    f"{where} ends at {ends[tp]}, before the position {position}: the topic was"
                    " deleted and created again; start with --keep-model to read the new topic with"
                    " what was learned, or begin a new history with another --group and"
                    " --checkpoint-dir"
                ) from error
            if lost > 0 and self._lost_offsets == "stop":
                raise PollError(
                    f"{where} begins at {beginnings[tp]}: {lost} records from {position} on were"
                    " deleted before they were read (retention). To continue without them, and"
                    " count them, start with --lost-offsets continue"
                ) from error
            if lost > 0:
                log.error("records lost", partition=tp.partition, records=lost)
                self._observer.records_lost(lost)
                self._consumer.seek(tp, beginnings[tp])
                self.queue.skip(tp.partition, beginnings[tp])
