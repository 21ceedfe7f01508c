"""Batches of documents from a queue of records."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import pytest

from consumer.kafka import source
from consumer.kafka.batch import Batch, LabelTopic, Origin
from consumer.kafka.record_queue import RecordQueue
from consumer.kafka.source import QUIET_SECONDS, KafkaSource, RunEnd
from consumer.labels import LabelSet
from consumer.records.config import RecordConfig
from consumer.records.formats import RegistryError
from consumer.records.reader import (
    MAX_TEXT_CHARACTERS,
    Ignored,
    KafkaRecord,
    Reader,
    Reading,
    RecordReader,
)
from newsreel.events.document import Document
from newsreel.events.errors import Reason


class Record(NamedTuple):
    """The fields of a Kafka record that a source reads."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp: int = 1_000


def record(offset: int, label: str = "a", partition: int = 0, value: bytes | None = b"") -> Record:
    default = b'{"text":"text %d","label":"%s"}' % (offset, label.encode())
    return Record("documents", partition, offset, None, default if value == b"" else value, [])


class Clock:
    """A clock that advances by 0.01 s each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "WAKE_SECONDS", 0.0)


class Stream:
    """A source over a queue that the test fills."""

    def __init__(
        self,
        records: Iterable[Record],
        ends: Mapping[int, int] | None = None,
        limit: int = 10,
        positions: Mapping[int, int] | None = None,
        linger: float = 1.0,
        stop_after: int | None = None,
        stop_when_idle: float | None = 5.0,
        stopping: Callable[[], bool] = lambda: False,
        late_labels: LabelTopic = LabelTopic(),  # noqa: B008 - immutable
        reader: Reader | None = None,
    ) -> None:
        self.clock = Clock()
        self.queue = RecordQueue({}, capacity=100)
        self.queue.put(list(records), {}, polled=0.0)
        self.queue.set_ends(ends or {}, {}, math.inf)  # in touch with the broker
        self.source = KafkaSource(
            self.queue,
            reader or RecordReader.build(RecordConfig()),
            LabelSet(limit),
            positions or {},
            linger,
            RunEnd(stop_after, stop_when_idle, stopping),
            late_labels,
            self.clock,
        )

    def read(self, at_most: int) -> Batch:
        """Read a batch; the run must not be over."""
        batch = self.source.read(at_most)
        assert batch is not None
        return batch

    def rest(self, at_most: int) -> list[Batch]:
        """Read batches until the run is over."""
        return list(iter(lambda: self.source.read(at_most), None))


def ids(batch: Batch) -> list[str]:
    return [document.id for document in batch.documents]


def test_batches_in_the_order_of_the_stream() -> None:
    """Batches hold as many documents as asked for, with the positions and the lag after them."""
    stream = Stream([record(n) for n in range(5)], ends={0: 5})
    first, second = stream.read(3), stream.read(3)
    assert ids(first) == ["documents/0/0", "documents/0/1", "documents/0/2"]
    assert first.documents[0] == Document("documents/0/0", "text 0", "a")
    assert (first.positions, first.lag, first.last) == ({0: 3}, {0: 2}, False)
    assert ids(second) == ["documents/0/3", "documents/0/4"]
    assert (second.positions, second.lag) == ({0: 5}, {0: 0})


def test_dead_letters() -> None:
    """Unusable records become dead letters with reason and place; the position moves past them."""
    records = [record(0), record(1, value=b"{"), record(2, value=b"[]"), record(3)]
    batch = Stream(records, ends={0: 4}).read(2)
    assert ids(batch) == ["documents/0/0", "documents/0/3"]
    assert batch.origins == [Origin(0, 0), Origin(0, 3)]
    assert [(x.topic, x.partition, x.offset, x.value, x.reason) for x in batch.dead_letters] == [
        ("documents", 0, 1, b"{", Reason.NOT_JSON),
        ("documents", 0, 2, b"[]", Reason.WRONG_SHAPE),
    ]
    assert batch.positions == {0: 4}


def test_tombstones() -> None:
    """Records without a value are counted and skipped; the position moves past them."""
    batch = Stream([record(0), record(1, value=None), record(2)], ends={0: 3}).read(2)
    assert ids(batch) == ["documents/0/0", "documents/0/2"]
    assert (batch.dead_letters, batch.ignored) == ([], {Ignored.TOMBSTONE: 1})
    assert batch.positions == {0: 3}


class AwayAtFirst(RecordReader):
    """A reader whose schema registry does not answer the first time."""

    away = True

    def read(self, record: KafkaRecord) -> Reading:
        if self.away:
            self.away = False
            raise RegistryError("no answer")
        return super().read(record)


def test_registry_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record waits for its schema registry: no gap moves the position past it, and it is lag."""
    monkeypatch.setattr(source, "REGISTRY_SECONDS", 0.0)
    reader = AwayAtFirst.build(RecordConfig())
    stream = Stream([record(10)], ends={0: 51}, positions={0: 10}, reader=reader)
    stream.queue.skip(0, 50)
    waiting = stream.read(1)
    assert (ids(waiting), waiting.positions) == ([], {0: 10})
    assert waiting.lag[0] > 0
    assert stream.source.not_ready() == "no answer"
    assert ids(stream.read(1)) == ["documents/0/10"]
    assert stream.source.not_ready() is None


def test_label_limit() -> None:
    """A document with a label beyond the limit is a dead letter; known labels are still read."""
    records = [record(n, label) for n, label in enumerate("abcacb")]
    batch = Stream(records, limit=2).read(10)
    assert [document.label for document in batch.documents] == ["a", "b", "a", "b"]
    assert [(x.offset, x.reason) for x in batch.dead_letters] == [
        (2, Reason.LABEL_LIMIT),
        (4, Reason.LABEL_LIMIT),
    ]


def test_long_texts_are_cut() -> None:
    """A text keeps no more characters than any encoder reads."""
    batch = Stream([record(0, value=b'{"text":"%s"}' % (b"x" * 100_000))]).read(1)
    assert len(batch.documents[0].text) == MAX_TEXT_CHARACTERS


def test_stop_after() -> None:
    """A run ends after a number of documents, in whatever batches they are read."""
    stream = Stream([record(n) for n in range(9)], stop_after=5)
    assert [len(batch.documents) for batch in stream.rest(3)] == [3, 2]


def test_idle() -> None:
    """After enough time without a record, the last batch is empty and marked as the last."""
    stream = Stream([record(0)], linger=0.0)
    first = stream.read(3)
    assert (ids(first), first.last) == (["documents/0/0"], False)
    *empty, last = stream.rest(3)
    assert not any(batch.last for batch in empty)
    assert (ids(last), last.last, last.positions) == ([], True, {0: 1})
    assert stream.source.read(3) is None


def test_quiet() -> None:
    """Without a record for a second, a read returns an empty batch."""
    stream = Stream([], positions={0: 7}, ends={0: 7}, stop_when_idle=None)
    for _ in range(20):
        before = stream.clock.now
        batch = stream.read(3)
        assert (batch.documents, batch.origins, batch.dead_letters) == ([], [], [])
        assert (batch.positions, batch.lag, batch.last) == ({0: 7}, {0: 0}, False)
        assert stream.clock.now - before == pytest.approx(QUIET_SECONDS, abs=0.05)


def test_idle_time_adds_up_over_reads() -> None:
    """An empty batch does not reset the idle time; a record does."""
    stream = Stream([], linger=0.0, stop_when_idle=2.5)
    assert [stream.read(3).last for _ in range(2)] == [False, False]
    stream.queue.put([record(0)], {}, polled=0.0)
    assert ids(stream.read(3)) == ["documents/0/0"]
    start = stream.clock.now
    assert [batch.last for batch in stream.rest(3)] == [False, False, True]
    assert stream.clock.now - start == pytest.approx(2.5, abs=0.1)


def test_stopping() -> None:
    """A stop request ends the batch with the documents read already, and then the run."""
    answers = iter([False, False, False, False])  # before the read, then before each record
    stream = Stream([record(n) for n in range(9)], stopping=lambda: next(answers, True))
    batch = stream.read(5)
    assert ids(batch) == ["documents/0/0", "documents/0/1", "documents/0/2"]
    assert (batch.positions, batch.last) == ({0: 3}, False)
    assert stream.source.read(5) is None


def test_outage_is_not_the_end_of_the_stream() -> None:
    """While the broker does not answer, the stream is not over, however long no record comes."""
    stream = Stream([], stop_when_idle=5.0, stopping=lambda: stream.clock.now > 20)
    stream.queue.set_ends({}, {}, -math.inf)
    assert not any(batch.last for batch in stream.rest(1))
    assert stream.clock.now > 20


def test_document_whose_label_waits() -> None:
    """A document whose label was read before can be learned, so it counts towards a batch."""
    labels = [Record("documents.labels", 0, n, b"d%d" % n, b'{"label":"a"}', []) for n in (7, 8)]
    topic = LabelTopic("documents.labels", {0: 7}, expects=lambda id_: id_ == "documents/0/0")
    unlabelled = record(0, value=b'{"text":"text 0"}')
    stream = Stream([unlabelled, *labels], late_labels=topic)
    assert len(stream.read(2).labels) == 1


def test_late_labels() -> None:
    """Records of the topic of labels are labels; the batch tells their positions and lag."""
    label = record(3, value=b'{"label":"a"}')._replace(topic="documents.labels", key=b"d7")
    topic = LabelTopic("documents.labels", {0: 3}, lambda at: {0: 9 - at[0]})
    batch = Stream([label, record(0)], late_labels=topic).read(4)
    assert ids(batch) == ["documents/0/0"]
    assert [record.label.label for record in batch.labels] == ["a"]
    assert (batch.positions, batch.label_positions, batch.label_lag) == ({0: 1}, {0: 4}, 5)
