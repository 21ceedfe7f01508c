"""Poll Kafka in a thread of its own, so that learning never delays a poll."""

import math
import threading
import time
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, OffsetOutOfRangeError

from consumer.kafka.record_queue import RecordQueue
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

RESPONSE_BYTES = 1 << 30
"""Largest response of a broker. Kafka keeps to the size that is asked for; other brokers send
everything that waits, and a client that refuses such a response would ask for it for ever."""

METADATA_MS = 30_000
"""Milliseconds until the client asks for new partitions."""

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
    partitions of the topic are read, and partitions that are added later from their beginning.
    While the queue is full, the partitions are paused. While the broker is away, polls are tried
    again.

    Parameters
    ----------
    consumer
        Connected client without an assignment, see `connect`.
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
        return self.problem() or (None if self.queue.in_touch else "the broker does not answer")

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
        room = self.queue.room
        if room == 0:
            self._consumer.pause(*self._consumer.assignment())
        else:
            self._consumer.resume(*self._consumer.paused())
        fetched: dict[Any, list[ConsumerRecord]] = self._consumer.poll(
            timeout_ms=int(POLL_SECONDS * 1000), max_records=max(room, 1)
        )
        self._polled = time.monotonic()
        # Asking for positions may take long, so the queue's lock is not held meanwhile.
        positions = {tp.partition: at for tp, at in self._positions().items()}
        records = [record for part in fetched.values() for record in part]
        self.queue.put(records, positions, self._polled)
        if self._polled >= self._next_look:
            self._look()
        if not records:
            self._stopping.wait(PAUSE_SECONDS)

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
        self.queue.set_ends({tp.partition: end for tp, end in ends.items()}, asked)

    def _positions(self) -> dict[TopicPartition, int]:
        return {tp: self._consumer.position(tp) for tp in self._consumer.assignment()}

    def _assign(self, added: Mapping[int, int]) -> None:
        """Read some partitions from their positions on, beside those that are read already."""
        positions = self._positions()
        positions |= {TopicPartition(self._topic, number): at for number, at in added.items()}
        self._consumer.assign(list(positions))
        for tp, offset in positions.items():
            self._consumer.seek(tp, offset)
        self.queue.set_positions({tp.partition: offset for tp, offset in positions.items()})

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
                    " deleted and created again; start over with another --checkpoint-dir and"
                    " --group"
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


def connect(options: Mapping[str, Any]) -> KafkaConsumer:
    """Connect a client for `Poller`: without a group, and without a default position."""
    return KafkaConsumer(
        **options,
        metadata_max_age_ms=METADATA_MS,
        receive_message_max_bytes=RESPONSE_BYTES,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )


def beginnings(consumer: KafkaConsumer, topic: str) -> dict[int, int]:
    """Return the first offset of each partition of a topic."""
    partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
    return {tp.partition: at for tp, at in consumer.beginning_offsets(partitions).items()}
