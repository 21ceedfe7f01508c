"""A start waits for partitions without a leader, and then reads the others."""

from collections.abc import Collection

import pytest

from consumer.kafka import opening
from consumer.kafka.config import Since
from consumer.kafka.opening import open_topic
from consumer.kafka.topic_state import TopicState
from newsreel.common import retrying
from newsreel.common.kafka import Connection
from newsreel.common.retrying import OutageError


class Reader:
    """A Kafka client in memory, which is closed after a failed attempt."""

    closed = 0

    def close(self, *, autocommit: bool) -> None:
        Reader.closed += 1


@pytest.fixture(autouse=True)
def _partition_1_has_no_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    state = TopicState(None, {0: 0}, {0: 9}, {0: 0}, frozenset({1}))
    monkeypatch.setattr(opening, "connect", lambda _: Reader())
    monkeypatch.setattr(opening, "read_state", lambda *_: state)
    monkeypatch.setattr(opening, "diagnose", lambda *_: None)
    monkeypatch.setattr(opening, "LEADERLESS_SECONDS", 0.05)
    monkeypatch.setattr(retrying, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(retrying, "START_SECONDS", 0.3)
    Reader.closed = 0


def found(since: Since, known: Collection[int] = ()) -> TopicState:
    _, state = open_topic(Connection("unused"), "documents", since, lambda: False, known)
    return state


@pytest.mark.parametrize(("since", "known"), [("earliest", ()), ("latest", (0, 1))])
def test_the_others_are_read(since: Since, known: Collection[int]) -> None:
    """After a while the other partitions are read, where no offset of this one is needed."""
    assert found(since, known).leaderless == {1}
    assert Reader.closed >= 1


def test_no_partition_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new group waits for the first partition that has a leader."""
    state = TopicState(None, {}, {}, {}, frozenset({0}))
    monkeypatch.setattr(opening, "read_state", lambda *_: state)
    with pytest.raises(OutageError, match="a partition has no leader"):
        found("earliest")
    assert found("earliest", (0,)) == state


def test_an_offset_that_is_needed() -> None:
    """A new group that begins elsewhere needs the offsets of all partitions."""
    with pytest.raises(OutageError, match="a partition has no leader"):
        found("latest", (0,))
