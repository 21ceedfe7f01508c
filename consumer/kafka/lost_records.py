"""Go on after records that a topic has lost, or say which they are."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog
from kafka.errors import (
    LogTruncationError,
    OffsetNotAvailableError,
    OffsetOutOfRangeError,
)

from consumer.kafka.look import Ends, Look
from consumer.kafka.poll_errors import PollError
from consumer.kafka.record_queue import RecordQueue
from consumer.kafka.topic_client import TopicClient

ASK_SECONDS = 1.0
"""Seconds between two questions for what is lost."""

LostOffsets = Literal["stop", "continue"]

log = structlog.get_logger()


class LossObserver(Protocol):
    """Counts lost records."""

    def records_lost(self, records: int) -> None:
        """Count records that were deleted before they were read, or are no longer there."""
        ...


@dataclass(frozen=True, slots=True)
class Loss:
    """Records of a partition that are lost."""

    partition: int
    resume: int
    """Offset to go on at."""
    records: int
    """Number of lost records, as far as known."""
    reason: str
    """What has happened, as a sentence without its end."""


class LostRecords:
    """Partitions that seem to have lost records, until the brokers have said which.

    Retention deletes records before they are read. An unclean leader election removes records that
    were read, and other records may take their offsets.

    Parameters
    ----------
    client
        Client of the topic.
    queue
        Queue that the client fills.
    lost_offsets
        What to do: "stop", or "continue" and count the lost records.
    observer
        Counts lost records.

    Attributes
    ----------
    suspects
        Partitions that seem to have lost records, which can't be read on.
    """

    def __init__(
        self,
        client: TopicClient,
        queue: RecordQueue,
        lost_offsets: LostOffsets,
        observer: LossObserver,
    ) -> None:
        self._client = client
        self._queue = queue
        self._lost_offsets = lost_offsets
        self._observer = observer
        self.suspects: set[int] = set()
        self._next_ask = -math.inf
        # From which offset on the log differs from what was read, where brokers say so.
        self._diverged: dict[int, int | None] = {}

    def suspect(self, error: OffsetOutOfRangeError | LogTruncationError) -> None:
        """Note an error of the client; one that names no partition is about all of them."""
        if isinstance(error, LogTruncationError):
            named = error.divergent_offsets
            self._diverged |= {tp.partition: at and at.offset for tp, at in named.items()}
        else:
            named = error.args[0] if error.args else {}
        self.suspects |= {tp.partition for tp in named} or self._queue.partitions

    def skip(self, inspect: Callable[[], Look]) -> None:
        """Ask brokers what is lost, and go on after the lost records.

        Partitions whose leader does not answer remain suspect, and are asked for again later.

        Parameters
        ----------
        inspect
            Asks how the topic is.

        Raises
        ------
        PollError
            Records are lost, and reading is to stop.
        KafkaError
            Nothing is lost: a broker is to change its mind.
        """
        now = time.monotonic()
        if not self.suspects or now < self._next_ask:
            return
        positions = self._client.positions(self._queue.partitions)
        look = inspect()
        beginnings = self._client.beginnings(self.suspects)
        answered = self.suspects & look.ends.keys() & beginnings.keys()
        losses = list(self._losses(answered, look, positions, beginnings))
        for loss in losses:
            if self._lost_offsets == "stop":
                raise PollError(
                    f"{loss.reason}. To continue without them, and count them, start with"
                    " --lost-offsets continue"
                )
            log.error("records lost", reason=loss.reason, records=loss.records)
            self._observer.records_lost(loss.records)
            self._client.seek(loss.partition, loss.resume)
            self._queue.skip(loss.partition, loss.resume)
        self.suspects -= answered
        self._diverged = {p: at for p, at in self._diverged.items() if p in self.suspects}
        if (
            answered and not losses
        ):  # the brokers contradict each other: one of them is to change its mind
            raise OffsetNotAvailableError(self._client.topic)

    def _losses(
        self,
        partitions: set[int],
        look: Look,
        positions: Mapping[int, int],
        beginnings: Mapping[int, int],
    ) -> Iterator[Loss]:
        for partition in sorted(partitions):
            position, begin, ends = (
                positions[partition],
                beginnings[partition],
                look.ends[partition],
            )
            where = f"partition {partition} of {self._client.topic!r}"
            if partition in self._diverged or position > ends.high:
                if look.id is None:
                    raise PollError(
                        f"{where} ends at {ends.high}, before the position {position}: the topic"
                        " was deleted and created again; start with --keep-model to read the new"
                        " topic with what was learned, or begin a new history with another --group"
                        " and --checkpoint-dir"
                    )
                yield self._truncation(partition, position, begin, ends)
            elif begin > position:
                yield Loss(
                    partition,
                    begin,
                    begin - position,
                    f"{where} begins at {begin}: {begin - position} records from {position} on were"
                    " deleted before they were read (retention)",
                )

    def _truncation(self, partition: int, position: int, begin: int, ends: Ends) -> Loss:
        diverged = self._diverged.get(partition)
        resume = max(begin, min(ends.high, position) if diverged is None else diverged)
        now = (
            f"ends at {ends.high}"
            if position > ends.high
            else f"has other records from offset {resume} on"
        )
        return Loss(
            partition,
            resume,
            position - resume,
            "records were lost by an unclean leader election: partition"
            f" {partition} of {self._client.topic!r} now {now}, before the position {position}, up"
            " to which it was read",
        )
