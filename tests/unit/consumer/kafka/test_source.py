"""Records in, documents out; a real poller that was never started, its queue filled by hand."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pytest
from helpers import Polled

from consumer.kafka import source
from consumer.kafka.batch import LabelTopic, Origin
from consumer.kafka.poller import Poller
from consumer.kafka.source import MAX_TEXT_CHARACTERS, QUIET_SECONDS, KafkaSource
from consumer.labels import LabelSet
from newsreel.events.document import Document
from newsreel.events.errors import Reason


class Record(NamedTuple):
    """What of kafka-python's record is looked at."""

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
    """Goes on by a hundredth of a second each time it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "WAKE_SECONDS", 0.0)


def reading(
    records: Iterable[Record],
    ends: Mapping[int, int] | None = None,
    limit: int = 10,
    positions: Mapping[int, int] | None = None,
    **how: Any,
) -> KafkaSource:
    queued = list(records)
    poller = Poller(None, "documents", {}, 100, "stop", Polled())
    poller._records.extend(queued)
    poller._queued.update(record.partition for record in queued)
    poller._ends = dict(ends or {})
    poller._looked = math.inf  # in touch with the broker
    options = {"linger": 1.0, "stop_after": None, "stop_when_idle": 5.0, "clock": Clock()} | how
    return KafkaSource(poller, LabelSet(limit), dict(positions or {}), **options)


def ids(batch: Any) -> list[str]:
    return [document.id for document in batch.documents]


def test_batches_in_the_order_of_the_stream() -> None:
    """Batches hold as many documents as asked for, with the positions and lag behind them."""
    stream = reading([record(n) for n in range(5)], ends={0: 5})
    first, second = stream.read(3), stream.read(3)
    assert first is not None
    assert second is not None
    assert ids(first) == ["documents/0/0", "documents/0/1", "documents/0/2"]
    assert first.documents[0] == Document("documents/0/0", "text 0", "a")
    assert (first.positions, first.lag, first.last) == ({0: 3}, {0: 2}, False)
    assert ids(second) == ["documents/0/3", "documents/0/4"]
    assert (second.positions, second.lag) == ({0: 5}, {0: 0})


def test_dead_letters() -> None:
    """What can't be used is set aside with its reason and place; the position moves past it."""
    records = [record(0), record(1, value=b"{"), record(2, value=None), record(3)]
    batch = reading(records, ends={0: 4}).read(2)
    assert batch is not None
    assert ids(batch) == ["documents/0/0", "documents/0/3"]
    assert batch.origins == [Origin(0, 0), Origin(0, 3)]
    assert [(x.topic, x.partition, x.offset, x.value, x.reason) for x in batch.dead_letters] == [
        ("documents", 0, 1, b"{", Reason.NOT_JSON),
        ("documents", 0, 2, None, Reason.NO_VALUE),
    ]
    assert batch.positions == {0: 4}


def test_over_limit_labels() -> None:
    """A document whose label is one too many is a dead letter; those of known labels go on."""
    records = [record(n, label) for n, label in enumerate("abcacb")]
    batch = reading(records, limit=2).read(10)
    assert batch is not None
    assert [document.label for document in batch.documents] == ["a", "b", "a", "b"]
    assert [(x.offset, x.reason) for x in batch.dead_letters] == [
        (2, Reason.LABEL_LIMIT),
        (4, Reason.LABEL_LIMIT),
    ]


def test_long_texts_are_cut() -> None:
    """No more of a text is kept than any encoder reads."""
    batch = reading([record(0, value=b'{"text":"%s"}' % (b"x" * 100_000))]).read(1)
    assert batch is not None
    assert len(batch.documents[0].text) == MAX_TEXT_CHARACTERS


def test_stop_after() -> None:
    """A run ends after so many documents, however they are asked for."""
    stream = reading([record(n) for n in range(9)], stop_after=5)
    batches = [stream.read(3), stream.read(3), stream.read(3)]
    assert [batch and len(batch.documents) for batch in batches] == [3, 2, None]


def test_idle() -> None:
    """When nothing came for long enough, a last batch says so, and then there is no other."""
    stream = reading([record(0)], linger=0.0)
    first = stream.read(3)
    assert first is not None
    assert (ids(first), first.last) == (["documents/0/0"], False)
    *waits, last = iter(lambda: stream.read(3), None)
    assert not any(wait.last for wait in waits)
    assert (ids(last), last.last, last.positions) == ([], True, {0: 1})
    assert stream.read(3) is None


def test_quiet() -> None:
    """When nothing came for a while, an empty batch says that time has passed."""
    clock = Clock()
    stream = reading([], positions={0: 7}, ends={0: 7}, stop_when_idle=None, clock=clock)
    for _ in range(20):
        before = clock.now
        batch = stream.read(3)
        assert batch is not None
        assert (batch.documents, batch.origins, batch.dead_letters) == ([], [], [])
        assert (batch.positions, batch.lag, batch.last) == ({0: 7}, {0: 0}, False)
        assert clock.now - before == pytest.approx(QUIET_SECONDS, abs=0.05)


def test_idle_time_adds_up_from_the_last_record() -> None:
    """Empty reads don't begin to count anew; a record does."""
    clock = Clock()
    stream = reading([], linger=0.0, stop_when_idle=2.5, clock=clock)
    assert [stream.read(3).last for _ in range(2)] == [False, False]  # type: ignore[union-attr]
    stream._poller._records.append(record(0))  # type: ignore[arg-type]
    assert ids(stream.read(3)) == ["documents/0/0"]
    start = clock.now
    reads = [stream.read(3) for _ in range(4)]
    assert [batch and batch.last for batch in reads] == [False, False, True, None]
    assert clock.now - start == pytest.approx(2.5, abs=0.1)


def test_stopping() -> None:
    """Asked to stop, it hands over what it has gathered, and then nothing more."""
    asked = iter([False, False, False, False])  # before the read, then before each record
    stream = reading([record(n) for n in range(9)], stopping=lambda: next(asked, True))
    first = stream.read(5)
    assert first is not None
    assert ids(first) == ["documents/0/0", "documents/0/1", "documents/0/2"]
    assert (first.positions, first.last) == ({0: 3}, False)
    assert stream.read(5) is None


def test_an_outage_is_not_the_end() -> None:
    """While the broker does not answer, a stream is not over, however long nothing comes."""
    clock = Clock()
    stream = reading([], stop_when_idle=5.0, clock=clock, stopping=lambda: clock.now > 20)
    stream._poller._looked = -math.inf
    assert not any(batch.last for batch in iter(lambda: stream.read(1), None))
    assert clock.now > 20


def test_labels_that_come_later() -> None:
    """Labels of their own topic are no documents; how many wait there is told with the batch."""
    label = record(3, value=b'{"label":"a"}')._replace(topic="documents.labels", key=b"d7")
    late = LabelTopic("documents.labels", {0: 3}, lambda at: {0: 9 - at[0]})
    batch = reading([label, record(0)], late_labels=late).read(4)
    assert batch is not None
    assert (ids(batch), [one.label.label for one in batch.labels]) == (["documents/0/0"], ["a"])
    assert (batch.positions, batch.label_positions, batch.label_lag) == ({0: 1}, {0: 4}, 5)
