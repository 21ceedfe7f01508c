"""Two topics as one stream: by timestamp, and no record before its elders are known."""

import math
from typing import NamedTuple

import pytest
from helpers import Polled

from consumer.kafka import merged
from consumer.kafka.merged import MergedStream
from consumer.kafka.poller import Poller


class Record(NamedTuple):
    """What of kafka-python's record is looked at."""

    topic: str
    timestamp: int
    partition: int = 0
    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: tuple[()] = ()


def poller(topic: str, *stamps: int, looked: float = math.inf) -> Poller:
    """Make one that was never started, its queue filled by hand at 100 s."""
    made = Poller(None, topic, {}, 100, "stop", Polled())
    made._records.extend(Record(topic, stamp) for stamp in stamps)  # type: ignore[misc]
    made._queued[0] = len(stamps)
    made._fetched.append((0, 100.0))
    made._looked = looked
    return made


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged, "PAUSE_SECONDS", 0.0)


def order(merged: MergedStream) -> list[tuple[str, int]]:
    found = []
    while (record := merged.take(0.0)) is not None:
        found.append((record.topic, record.timestamp))
    return found


def test_by_timestamp() -> None:
    """The elder comes first; of the same time, the document does."""
    merged = MergedStream(poller("documents", 1, 3, 5), poller("labels", 2, 3, 9))
    assert order(merged) == [
        ("documents", 1),
        ("labels", 2),
        ("documents", 3),
        ("labels", 3),
        ("documents", 5),
        ("labels", 9),
    ]


@pytest.mark.parametrize(("looked", "taken"), [(99.0, 0), (101.0, 2)])
def test_waits_for_the_other_topic(looked: float, taken: int) -> None:
    """What is alone waits until the broker has said that the other topic had nothing by then."""
    assert (
        len(order(MergedStream(poller("documents", 1, 2), poller("labels", looked=looked))))
        == taken
    )
    assert (
        len(order(MergedStream(poller("documents", looked=looked), poller("labels", 1, 2))))
        == taken
    )


def test_what_is_not_fetched_yet() -> None:
    """A topic that goes on behind what was fetched has something."""
    labels = poller("labels")
    labels._ends = {0: 5}
    assert order(MergedStream(poller("documents", 1), labels)) == []


def test_when_a_record_was_fetched() -> None:
    """Each poll's records wait since then; what is taken is forgotten."""
    made = poller("documents", 1, 2, 3)
    made._fetched.append((2, 200.0))
    waits = []
    while made.take(0.0) is not None:
        waits.append(made.waits_since)
    assert waits == [100.0, 200.0, 200.0]
    assert len(made._fetched) == 1
