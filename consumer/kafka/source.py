"""Kafka records in, batches of documents out, with the positions they end at."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from kafka.consumer.fetcher import ConsumerRecord

from consumer.kafka.batch import Batch, DeadLetter, LabelRecord, LabelTopic, Origin
from consumer.kafka.merged import RecordStream
from consumer.labels import LabelLimitError, LabelSet
from newsreel.events import label as wire
from newsreel.events.document import Document, decode
from newsreel.events.errors import DecodeError, Reason

MAX_TEXT_CHARACTERS = 20_000
"""What is kept of a text, some 4,000 tokens: the replay buffer's memory stays bounded."""

MOST_UNUSABLE = 64
"""Unusable records of a batch: each may have a MiB, and memory stays bounded."""

WAKE_SECONDS = 0.1

QUIET_SECONDS = 1.0
"""So long without a record, and a read returns without documents: time has passed."""


@dataclass(slots=True)
class _Read:
    """What a batch has so far."""

    documents: list[Document] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    written: list[float | None] = field(default_factory=list)
    labels: list[LabelRecord] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    def full(self, at_most: int) -> bool:
        learnable = len(self.labels) + sum(one.label is not None for one in self.documents)
        return (
            max(len(self.documents), learnable) >= at_most
            or len(self.dead_letters) >= MOST_UNUSABLE
        )


class KafkaSource:
    """Reads batches from a poller's queue.

    Parameters
    ----------
    poller
        `Poller` or `MergedStream`, started by whoever made it.
    labels
        Learns the labels of the documents that are read.
    positions
        Where each partition goes on, by partition.
    linger
        Seconds to wait for a batch to fill once its first record is there.
    stop_after
        Documents to read in this run; None for no limit.
    stop_when_idle
        Seconds without a record after which the stream is over; None for never.
    stopping
        Says whether the next read shall be the end.
    clock
        Seconds that only go forward.
    late_labels
        Where labels come by themselves.
    """

    def __init__(
        self,
        poller: RecordStream,
        labels: LabelSet,
        positions: Mapping[int, int],
        linger: float,
        stop_after: int | None = None,
        stop_when_idle: float | None = None,
        stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        late_labels: LabelTopic = LabelTopic(),  # noqa: B008 - immutable
    ) -> None:
        self._poller = poller
        self._late_labels = late_labels
        self._label_positions = dict(late_labels.positions)
        self._labels = labels
        self._positions = dict(positions)
        self._linger = linger
        self._left = stop_after
        self._idle_limit = stop_when_idle
        self._clock = clock
        self._stopping = stopping
        self._reached: dict[int, float] = {}
        self._waiting_since: float | None = None
        self._over = False

    def read(self, at_most: int) -> Batch | None:
        """Wait for up to ``at_most`` documents, or labels; None when the run is over.

        When nothing comes for `QUIET_SECONDS`, the batch is empty.
        """
        if self._left is not None:
            at_most = min(at_most, self._left)
        if self._over or self._stopping() or at_most == 0:
            return None
        read = _Read()
        first: float | None = None
        started = self._clock()
        while not (read.full(at_most) or self._stopping()):
            record = self._poller.take(WAKE_SECONDS)
            now = self._clock()
            if record is not None:
                first = now if first is None else first
                self._waiting_since = None
                self._sort(record, read)
            if first is not None and now - first >= self._linger:
                break
            if record is None and first is None:
                self._over = self._idle(now, started)
                if self._over or now - started >= QUIET_SECONDS:
                    break
        if first is None and not self._over and self._stopping():
            return None
        if self._left is not None:
            self._left -= len(read.documents)
        self._positions = {p: self._poller.past_gap(p, at) for p, at in self._positions.items()}
        positions = dict(self._positions)
        lag = self._poller.lag(positions)
        return Batch(
            read.documents,
            read.origins,
            read.written,
            read.dead_letters,
            positions,
            lag,
            dict(self._reached),
            read.labels,
            dict(self._label_positions),
            sum(self._late_labels.lag(self._label_positions).values()),
            last=self._over,
        )

    def _idle(self, now: float, started: float) -> bool:
        """Whether nothing has come for so long, over all reads since, that the stream is over."""
        if not self._poller.in_touch:
            self._waiting_since = now  # an outage is not the end
        elif self._waiting_since is None:
            self._waiting_since = started
        heard = now - self._poller.silence  # up to then, nothing was there
        return self._idle_limit is not None and heard - self._waiting_since >= self._idle_limit

    def _sort(self, record: ConsumerRecord, read: _Read) -> None:
        """Put a record where it belongs, and move the position past it."""
        stamp = record.timestamp / 1000 if record.timestamp >= 0 else None  # -1: there is none
        try:
            if record.topic == self._late_labels.topic:
                self._label_positions[record.partition] = record.offset + 1
                label = wire.decode(record.key, record.value, record.headers)
                self._labels.add(label.label)
                read.labels.append(LabelRecord(label, len(read.documents), stamp))
                return
            self._positions[record.partition] = record.offset + 1
            if stamp is not None:
                self._reached[record.partition] = stamp
            document = read_document(record)
            if document.label is not None:
                self._labels.add(document.label)
        except DecodeError as error:
            read.dead_letters.append(_dead_letter(record, error.reason, str(error)))
        except LabelLimitError as error:
            read.dead_letters.append(_dead_letter(record, Reason.LABEL_LIMIT, str(error)))
        else:
            read.documents.append(document)
            read.origins.append(Origin(record.partition, record.offset))
            read.written.append(stamp)


def read_document(record: ConsumerRecord) -> Document:
    """Decode a record, keeping no more of its text than can matter.

    Raises
    ------
    DecodeError
        The record breaks the wire contract.
    """
    document = decode(
        record.key,
        record.value,
        record.headers,
        default_id=f"{record.topic}/{record.partition}/{record.offset}",
    )
    return replace(document, text=document.text[:MAX_TEXT_CHARACTERS])


def _dead_letter(record: ConsumerRecord, reason: Reason, detail: str) -> DeadLetter:
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        reason=reason,
        detail=detail,
    )
