"""Poll Kafka in a thread of its own, so that learning never delays a poll."""

import math
import threading
import time
from collections.abc import Collection, Mapping
from typing import Protocol

import structlog
from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
)

from consumer.kafka.lost_records import LossObserver, LostOffsets, LostRecords
from consumer.kafka.pace import Pace
from consumer.kafka.poll_errors import PollError, refused, unreadable
from consumer.kafka.record_queue import RecordQueue
from consumer.kafka.topic_client import Fetch, TopicClient
from consumer.kafka.topic_watch import PartitionObserver, TopicWatch
from newsreel.common.errors import UserError
from newsreel.common.kafka_errors import explain, heals
from newsreel.common.retrying import SAY_SECONDS

RETRY_SECONDS = 1.0
"""Seconds after a failed poll before the next one."""

STUCK_SECONDS = 60.0
"""Seconds without a poll after which polling counts as stuck."""

LOOK_SECONDS = 2.0
"""Seconds between two questions for partitions and where they end."""

RENEW_SECONDS = 60.0
"""Seconds between two new clients because a partition is not fetched."""

POLLS_PER_LOOK = 5
"""Polls between two such questions, at least: each takes up the answer if it is there."""

MAX_FAILURES = 3
"""Failures at one place, each with a new client, after which reading ends."""

log = structlog.get_logger()


class _UnreadableError(Exception):
    """Fetched records can't be read; another fetch may return them as they are."""


class PollObserver(LossObserver, PartitionObserver, Protocol):
    """Counts what happens to polling; called by the thread that polls."""

    def poll_retried(self) -> None:
        """Count a poll that failed at the broker."""
        ...


class Poller:
    """A thread that keeps a bounded queue filled with the records of a topic.

    The thread owns its client; nothing else may use the client after `start`. All partitions of the
    topic are read, and partitions that are added later from their beginning. A partition is paused
    while its share of the queue is full. While the broker is away, polls are tried again. While a
    partition can't be read, the others are.

    Parameters
    ----------
    client
        Client of the topic, without an assignment.
    positions
        First offset to read, by partition.
    capacity
        Records queued before partitions are paused; 16 MiB of them pause them, too.
    lost_offsets
        What to do when records after a position were deleted from the topic before they were read,
        or when a leader election has removed records that were read: "stop", or "continue" and
        count them.
    observer
        Counts failed polls and lost records, and exports the states of partitions.
    look_seconds
        Seconds between two questions for partitions and where they end.
    topic_id
        Id of the topic that the positions are of; None if it is not known.

    Attributes
    ----------
    queue
        Records to take.
    """

    def __init__(
        self,
        client: TopicClient,
        positions: Mapping[int, int],
        capacity: int,
        lost_offsets: LostOffsets,
        observer: PollObserver,
        look_seconds: float = LOOK_SECONDS,
        topic_id: str | None = None,
    ) -> None:
        self.queue = RecordQueue(positions, capacity)
        self._client = client
        self._first_positions = positions
        self._observer = observer
        self._watch = TopicWatch(client, self.queue, observer, look_seconds, topic_id)
        self._lost = LostRecords(client, self.queue, lost_offsets, observer)
        self._pace = Pace(look_seconds / POLLS_PER_LOOK)
        self._stopping = threading.Event()
        self._polled = time.monotonic()
        self._renewed = -math.inf
        self._broken = False
        self._said, self._said_at = "", -math.inf
        self._failed_at = ""
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def problem(self) -> str | None:
        """Return what is wrong with polling, or None."""
        failure = self.queue.failure
        if failure is not None:
            return str(failure)
        silent = time.monotonic() - self._polled
        if self._thread.is_alive() and silent > STUCK_SECONDS:
            return f"no poll has ended for {silent:.0f} s"
        return None

    def not_ready(self) -> str | None:
        """Return why some records can't arrive now, or None."""
        return self.problem() or self._watch.problem()

    def notices(self) -> Collection[str]:
        """Return what is wrong with partitions that can be read."""
        return self._watch.notices()

    def start(self) -> None:
        """Start the thread."""
        self._watch.assign(self._first_positions)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and close the client."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(RETRY_SECONDS + STUCK_SECONDS)
        self._client.close()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._poll_or_wait()
        except UserError as error:
            self.queue.fail(error)
        except Exception as error:  # noqa: BLE001 - raised in the thread that takes records
            failure = PollError(
                f"reading {self._client.topic!r} failed: {error}; nothing is lost: fix the cause"
                " and start again, to continue from the last commit"
            )
            failure.__cause__ = error
            self.queue.fail(failure)

    def _poll_or_wait(self) -> None:
        try:
            self._poll()
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            self._lost.suspect(error)
        except _UnreadableError as error:
            self._connect_again(error)
        except KafkaError as error:
            if not heals(error):
                raise refused(error, self._client.topic, self._client.user) from error
            self._say(explain(error))
            self._observer.poll_retried()
            self._stopping.wait(RETRY_SECONDS)

    def _poll(self) -> None:
        if self._broken:
            self._client.renew()
            self._broken = False
        self._watch.look()
        if not self._watch.doubtful:
            self._lost.skip(self._watch.inspect)
        self._renew_if_stalled()
        room = self.queue.room()
        if room.partitions:
            fetched = set() if self._watch.doubtful else room.partitions - self._lost.suspects
            self._fetch(fetched, room.records)
        else:
            self._polled = time.monotonic()
            self.queue.wait_for_room(self._pace.longest)

    def _fetch(self, partitions: set[int], at_most: int) -> None:
        behind = self.queue.behind
        started = time.monotonic()
        fetched = self._read(partitions, at_most, self._pace.wait(behind=behind))
        self._polled = time.monotonic()
        positions = {number: found[-1].offset + 1 for number, found in fetched.items() if found}
        if not positions:  # offsets without a record may be passed, such as transactions' markers
            positions = self._client.positions(self.queue.missing)
        records = [record for part in fetched.values() for record in part]
        self.queue.put(records, positions, self._polled)
        took = self._polled - started
        pause = self._pace.pause(took, found=bool(records), behind=behind)
        if not self.queue.waits:
            self._stopping.wait(pause)

    def _say(self, reason: str) -> None:
        """Log why reading failed: the same reason once a minute at most."""
        now = time.monotonic()
        if reason != self._said or now - self._said_at >= SAY_SECONDS:
            log.warning("reading failed, trying again", reason=reason)
            self._said, self._said_at = reason, now

    def _read(self, partitions: set[int], at_most: int, timeout: float) -> Fetch:
        try:
            return self._client.fetch(partitions, at_most, timeout)
        except CorruptRecordError as error:
            raise _UnreadableError from error
        except (KafkaError, UserError):
            raise
        except Exception as error:  # a batch that the client can't parse, or a defect of the client
            raise _UnreadableError from error

    def _renew_if_stalled(self) -> None:
        now = time.monotonic()
        if self._watch.stalled and now - self._renewed >= RENEW_SECONDS:
            log.warning("connecting again, as records are not fetched")
            self._renewed = now
            self._client.renew()

    def _connect_again(self, error: _UnreadableError) -> None:
        """Go on with a new client after a failure that another fetch may not have.

        Raises
        ------
        PollError
            The same place has failed before, with other clients.
        """
        place = self._client.place()
        self._failures = self._failures + 1 if place == self._failed_at else 1
        self._failed_at = place
        if self._failures >= MAX_FAILURES:
            raise unreadable(place, error.__cause__) from error
        log.warning("reading failed, connecting again", place=place, error=str(error.__cause__))
        self._observer.poll_retried()
        self._broken = True
        self._stopping.wait(RETRY_SECONDS)
