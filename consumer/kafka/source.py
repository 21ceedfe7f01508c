"""Turn Kafka records into batches of documents, with the positions after them."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog
from kafka.consumer.fetcher import ConsumerRecord

from consumer.kafka.batch import Batch, DeadLetter, LabelRecord, LabelTopic, Origin
from consumer.kafka.merged import RecordStream
from consumer.labels import LabelLimitError, LabelSet
from consumer.records.formats import RegistryError
from consumer.records.label_names import SpellingCheck
from consumer.records.reader import Ignored, Reader
from newsreel.events.document import Document
from newsreel.events.errors import DecodeError, Reason

log = structlog.get_logger()

MAX_UNUSABLE = 64
"""Unusable records in a batch: each may hold 1 MiB, so this bounds memory."""

WAKE_SECONDS = 0.1
"""Seconds between two checks of the ends of a batch while no record arrives."""

REGISTRY_SECONDS = 1.0
"""Seconds between two attempts to decode a record whose schema registry does not answer."""

QUIET_SECONDS = 1.0
"""Seconds without a record after which a read returns an empty batch."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """When a run ends; by default never."""

    documents: int | None = None
    """Number of documents to read in this run; None for no limit."""

    idle_seconds: float | None = None
    """Seconds without a record after which the stream is over; None for never."""

    requested: Callable[[], bool] = lambda: False
    """Returns whether to end with the documents that are read already."""


@dataclass(slots=True)
class _Read:
    """A batch that is being filled."""

    documents: list[Document] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    written: list[float | None] = field(default_factory=list)
    labels: list[LabelRecord] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    ignored: Counter[Ignored] = field(default_factory=Counter)
    learnable: int = 0
    """Number of documents with a label, and of labels that may have a document."""

    def full(self, at_most: int) -> bool:
        return (
            max(len(self.documents), self.learnable) >= at_most
            or len(self.dead_letters) >= MAX_UNUSABLE
        )


class KafkaSource:
    """Reads batches of documents from a stream of records.

    Parameters
    ----------
    records
        `RecordQueue` of a poller, or `MergedStream` of two.
    reader
        Reads documents and labels from records.
    labels
        Receives the labels of the documents that are read.
    positions
        Next offset to read, by partition.
    linger
        Seconds to wait for a batch to fill after its first record.
    end
        When the run ends.
    late_labels
        Topic of labels that arrive after their documents.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self,
        records: RecordStream,
        reader: Reader,
        labels: LabelSet,
        positions: Mapping[int, int],
        linger: float,
        end: RunEnd = RunEnd(),
        late_labels: LabelTopic = LabelTopic(),  # noqa: B008 - immutable
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._reader = reader
        self._labels = labels
        self._spelling = SpellingCheck()
        self._held: ConsumerRecord | None = None
        self._registry_problem: str | None = None
        self._positions = dict(positions)
        self._linger = linger
        self._end = end
        self._documents_left = end.documents
        self._late_labels = late_labels
        self._label_positions = dict(late_labels.positions)
        self._clock = clock
        self._reached: dict[int, float] = {}
        self._idle_since: float | None = None
        self._over = False

    def not_ready(self) -> str | None:
        """Return why records wait although they have arrived, or why labels can't arrive."""
        return self._registry_problem or self._late_labels.not_ready()

    def read(self, at_most: int) -> Batch | None:
        """Wait for up to ``at_most`` documents, or labels; None when the run is over.

        Without a record for `QUIET_SECONDS` the batch is empty.
        """
        if self._documents_left is not None:
            at_most = min(at_most, self._documents_left)
        if self._over or self._end.requested() or at_most == 0:
            return None
        read = _Read()
        first: float | None = None
        started = self._clock()
        while not (read.full(at_most) or self._end.requested()):
            record = self._next()
            now = self._clock()
            if record is not None:
                first = now if first is None else first
                self._idle_since = None
                self._add(record, read)
            if self._held is not None or (first is not None and now - first >= self._linger):
                break
            if record is None and first is None:
                self._over = self._idle(now, started)
                if self._over or now - started >= QUIET_SECONDS:
                    break
        if first is None and not self._over and self._end.requested():
            return None
        if self._documents_left is not None:
            self._documents_left -= len(read.documents)
        return self._batch(read)

    def _batch(self, read: _Read) -> Batch:
        held = self._held.partition if self._held is not None else None
        self._positions = {
            partition: at if partition == held else self._records.past_gap(partition, at)
            for partition, at in self._positions.items()
        }
        positions = dict(self._positions)
        return Batch(
            read.documents,
            read.origins,
            read.written,
            read.dead_letters,
            positions,
            self._lag(positions),
            dict(self._reached),
            read.ignored,
            read.labels,
            dict(self._label_positions),
            sum(self._late_labels.lag(self._label_positions).values()),
            last=self._over,
        )

    def _lag(self, positions: Mapping[int, int]) -> Mapping[int, int]:
        """Return the number of records after some positions, with the record that is held."""
        lag = self._records.lag(positions)
        held = self._held
        if held is not None and held.topic != self._late_labels.topic:
            lag[held.partition] = lag.get(held.partition, 0) + 1
        return lag

    def _idle(self, now: float, started: float) -> bool:
        """Return whether no record came for the idle limit, counted over several reads."""
        if not self._records.in_touch:
            self._idle_since = now  # an outage does not count as the end of the stream
        elif self._idle_since is None:
            self._idle_since = started
        answered = now - self._records.silence  # up to this time there was no record
        limit = self._end.idle_seconds
        return limit is not None and answered - self._idle_since >= limit

    def _next(self) -> ConsumerRecord | None:
        """Return the record that could not be decoded before, or the next one."""
        record, self._held = self._held, None
        return self._records.take(WAKE_SECONDS) if record is None else record

    def _add(self, record: ConsumerRecord, read: _Read) -> None:
        """Decode a record into a document, a label or a dead letter; move the position past it.

        While its schema registry does not answer, the record is held.
        """
        is_label = record.topic == self._late_labels.topic
        try:
            if is_label:
                self._add_label(record, read)
            else:
                self._add_document(record, read)
        except RegistryError as error:
            self._wait_for_registry(record, error)
            return
        except DecodeError as error:
            read.dead_letters.append(_dead_letter(record, error.reason, str(error)))
        except LabelLimitError as error:
            read.dead_letters.append(_dead_letter(record, Reason.LABEL_LIMIT, str(error)))
        self._registry_problem = None
        if is_label:
            self._label_positions[record.partition] = record.offset + 1
            return
        self._positions[record.partition] = record.offset + 1
        if (written := _seconds(record)) is not None:
            self._reached[record.partition] = written

    def _wait_for_registry(self, record: ConsumerRecord, error: RegistryError) -> None:
        self._held = record
        if self._registry_problem is None:
            log.warning("waiting for the schema registry", error=str(error))
        self._registry_problem = str(error)
        time.sleep(REGISTRY_SECONDS)

    def _add_document(self, record: ConsumerRecord, read: _Read) -> None:
        reading = self._reader.read(record)
        if reading.ignored is not None:
            read.ignored[reading.ignored] += 1
        document = reading.document
        if document is None:
            return
        if document.label is not None:
            self._labels.add(document.label)
            self._spelling.observe(document.label)
        else:
            self._late_labels.order.read_document(document.id)
        read.learnable += document.label is not None or self._late_labels.expects(document.id)
        read.documents.append(document)
        read.origins.append(Origin(record.partition, record.offset))
        read.written.append(_seconds(record))

    def _add_label(self, record: ConsumerRecord, read: _Read) -> None:
        label = self._reader.read_label(record)
        if label is None:
            read.ignored[Ignored.TOMBSTONE] += 1
            return
        self._labels.add(label.label)
        self._spelling.observe(label.label)
        self._late_labels.order.read_label(label.id)
        read.learnable += 1
        read.labels.append(LabelRecord(label, len(read.documents), _seconds(record)))


def _seconds(record: ConsumerRecord) -> float | None:
    """Return the timestamp of a record in seconds since 1970; None if the record has none."""
    return record.timestamp / 1000 if record.timestamp >= 0 else None


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
