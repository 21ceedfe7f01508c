"""The state of a topic: its id, and where a new group begins."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Self
from uuid import UUID

import pytest
from kafka import TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from consumer.kafka import topic_state
from consumer.kafka.config import Since
from consumer.kafka.topic_state import TopicState, read_state
from newsreel.common.kafka import Connection

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Client:
    """A Kafka client in memory: two partitions, the second of which has no late record."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0, 1}

    def beginning_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 2)

    def end_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 9)

    def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        assert set(times.values()) == {1_767_614_400_000}
        return {tp: None if tp.partition else SimpleNamespace(offset=5) for tp in times}


class Admin:
    """An admin client in memory, which knows the topic's id."""

    def __init__(self, id_: UUID | None, leaders: Sequence[int] = (1, 1)) -> None:
        self.id = id_
        self.leaders = leaders

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        leaders = [{"partition_index": n, "leader_id": at} for n, at in enumerate(self.leaders)]
        return [{"name": names[0], "topic_id": self.id, "partitions": leaders}]


@pytest.mark.parametrize(
    ("since", "first"),
    [("earliest", {0: 2, 1: 2}), ("latest", {0: 9, 1: 9}), (NOON, {0: 5, 1: 9})],
)
def test_where_a_new_group_begins(
    monkeypatch: pytest.MonkeyPatch, since: Since, first: dict[int, int]
) -> None:
    """A partition without a record of the time or later is read from its end."""
    monkeypatch.setattr(topic_state.kafka, "admin", lambda _: Admin(UUID(int=7)))
    found = read_state(Client(), Connection("unused"), "documents", since)  # type: ignore[arg-type]
    assert found == TopicState(str(UUID(int=7)), {0: 2, 1: 2}, {0: 9, 1: 9}, first)


@pytest.mark.parametrize("id_", [None, UUID(int=0)])
def test_brokers_without_ids(monkeypatch: pytest.MonkeyPatch, id_: UUID | None) -> None:
    """An id of zeros is none."""
    monkeypatch.setattr(topic_state.kafka, "admin", lambda _: Admin(id_))
    found = read_state(Client(), Connection("unused"), "documents", "latest")  # type: ignore[arg-type]
    assert found.id is None


def test_a_partition_without_a_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """No offset of a partition without a leader is asked for; its committed position is kept."""
    monkeypatch.setattr(topic_state.kafka, "admin", lambda _: Admin(None, (1, -1)))
    found = read_state(Client(), Connection("unused"), "documents", "latest")  # type: ignore[arg-type]
    assert found == TopicState(None, {0: 2}, {0: 9}, {0: 9}, frozenset({1}))
    assert found.resumed({0: 4, 1: 7, 2: 3}) == {0: 4, 1: 7}


def test_a_topic_that_is_not_known_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic without partitions is asked for again: its state would be that of an empty topic."""
    monkeypatch.setattr(topic_state.kafka, "admin", lambda _: Admin(None, ()))
    with pytest.raises(UnknownTopicOrPartitionError):
        read_state(Client(), Connection("unused"), "documents", "latest")  # type: ignore[arg-type]


def test_positions_that_the_topic_has() -> None:
    """Positions past the end, and those of partitions that are gone, are dropped."""
    state = TopicState(None, {0: 0, 1: 0}, {0: 9, 1: 9}, {0: 1, 1: 2})
    assert state.resumed({0: 9, 1: 10, 2: 3}) == {0: 9, 1: 2}
