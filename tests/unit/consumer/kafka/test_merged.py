"""Two topics as one stream: by timestamp, and no record before the other topic is known."""

import math
from typing import NamedTuple

import pytest

from consumer.kafka import merged
from consumer.kafka.label_order import ByTime
from consumer.kafka.merged import MergedStream
from consumer.kafka.record_queue import RecordQueue


class Record(NamedTuple):
    """The fields of a Kafka record that a stream reads."""

    topic: str
    timestamp: int
    partition: int = 0
    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: tuple[()] = ()


def queue(topic: str, *stamps: int, answered: float = math.inf) -> RecordQueue:
    """Build a queue of records fetched at 100 s, whose broker answered at another time."""
    queue = RecordQueue({}, capacity=100)
    queue.put([Record(topic, stamp) for stamp in stamps], {}, polled=100.0)
    queue.set_ends({}, {}, answered)
    return queue


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged, "PAUSE_SECONDS", 0.0)


def order(merged: MergedStream) -> list[tuple[str, int]]:
    found = []
    while (record := merged.take(0.0)) is not None:
        found.append((record.topic, record.timestamp))
    return found


def test_by_timestamp() -> None:
    """The older record comes first; at equal timestamps, the document."""
    merged = MergedStream(queue("documents", 1, 3, 5), queue("labels", 2, 3, 9))
    assert order(merged) == [
        ("documents", 1),
        ("labels", 2),
        ("documents", 3),
        ("labels", 3),
        ("documents", 5),
        ("labels", 9),
    ]


def test_units_of_timestamps() -> None:
    """Timestamps in seconds and in microseconds are compared with those in milliseconds."""
    documents = queue("documents", 1_764_070_530_000, 1_764_070_532_000)
    assert [
        topic for topic, _ in order(MergedStream(documents, queue("labels", 1_764_070_531)))
    ] == [
        "documents",
        "labels",
        "documents",
    ]
    labels = queue("labels", 1_764_070_529_000_000)
    documents = queue("documents", 1_764_070_530_000)
    assert [topic for topic, _ in order(MergedStream(documents, labels))] == ["labels", "documents"]


def test_another_order() -> None:
    """The order is decided by what the stream is given."""

    class LabelsFirst(ByTime):
        def label_is_next(self, document: int, label: int) -> bool:
            return True

    merged = MergedStream(queue("documents", 1, 2), queue("labels", 3, 4), LabelsFirst())
    assert [stamp for _, stamp in order(merged)] == [3, 4, 1, 2]


@pytest.mark.parametrize(("answered", "count"), [(99.0, 0), (101.0, 2)])
def test_waits_for_the_other_topic(answered: float, count: int) -> None:
    """A record waits until the broker has answered that the other topic has none before it."""
    assert (
        len(order(MergedStream(queue("documents", 1, 2), queue("labels", answered=answered))))
        == count
    )
    assert (
        len(order(MergedStream(queue("documents", answered=answered), queue("labels", 1, 2))))
        == count
    )


def test_records_not_fetched_yet() -> None:
    """A topic that ends after the fetched records still holds some: the other topic waits."""
    labels = queue("labels")
    labels.set_ends({0: 5}, {}, math.inf)
    assert order(MergedStream(queue("documents", 1), labels)) == []
