"""Fetches of many partitions, with a Kafka client in memory."""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError

from consumer.kafka import topic_client as module
from consumer.kafka.topic_client import TopicClient


class Record(NamedTuple):
    """The fields of a Kafka record that a fetch reads."""

    offset: int
    value: bytes = b"{}"


class Consumer:
    """Records that wait by partition; a fetch returns those of one partition."""

    def __init__(self, waiting: dict[int, int]) -> None:
        self.waiting = {p: deque(map(Record, range(c))) for p, c in waiting.items()}
        self.paused: set[int] = set()
        self.errors: list[Exception] = []
        self.polls = 0
        self._fetcher = self
        self._manager = self._cluster = None

    def assign(self, names: list[TopicPartition]) -> None: ...

    def seek(self, name: TopicPartition, offset: int) -> None: ...

    def pause(self, *names: TopicPartition) -> None:
        self.paused |= {name.partition for name in names}

    def resume(self, *names: TopicPartition) -> None:
        self.paused -= {name.partition for name in names}

    def _poll_once(self, _timer: object, at_most: int) -> dict[TopicPartition, Any]:
        self.polls += 1
        return self.fetched_records(at_most)[0]

    def fetched_records(self, at_most: int) -> tuple[dict[TopicPartition, Any], bool]:
        if self.errors and self.paused:
            raise self.errors.pop()
        for partition, queue in self.waiting.items():
            if queue and partition not in self.paused:
                taken = [queue.popleft() for _ in range(min(at_most, len(queue)))]
                return {TopicPartition("documents", partition): taken}, True
        return {}, False


@pytest.fixture
def consumer() -> Consumer:
    return Consumer({0: 5, 1: 1, 2: 9})


@pytest.fixture
def client(consumer: Consumer) -> Iterator[TopicClient]:
    kafka = cast("KafkaConsumer", consumer)
    found = TopicClient(kafka, "documents", lambda: kafka)
    found.assign({0: 0, 1: 0, 2: 0})
    return found


def counts(fetched: Any) -> dict[int, int]:
    return {partition: len(records) for partition, records in fetched.items()}


def test_one_fetch_has_records_of_each_partition(client: TopicClient, consumer: Consumer) -> None:
    """Each partition returns as many records as fit of it, and is read on later."""
    assert counts(client.fetch({0, 1, 2}, 3, 0.0)) == {0: 3, 1: 1, 2: 3}
    assert consumer.polls == 1
    fetched = client.fetch({0, 2}, 3, 0.0)
    assert [record.offset for record in fetched[0]] == [3, 4]
    assert [record.offset for record in fetched[2]] == [3, 4, 5]
    assert client.fetch({1}, 3, 0.0) == {}
    assert counts(client.fetch({0, 1, 2}, 3, 0.0)) == {2: 3}


def test_a_fetch_is_bounded(client: TopicClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """No partition is added to a fetch that has many records already."""
    monkeypatch.setattr(module, "ENOUGH_RECORDS", 4)
    assert counts(client.fetch({0, 1, 2}, 3, 0.0)) == {0: 3, 1: 1}
    assert counts(client.fetch({0, 1, 2}, 3, 0.0)) == {0: 2, 2: 3}


def test_an_error_after_records(client: TopicClient, consumer: Consumer) -> None:
    """Records that were read before an error are returned; the next fetch raises the error."""
    consumer.errors.append(CorruptRecordError())
    assert counts(client.fetch({0, 1, 2}, 9, 0.0)) == {0: 5}
    with pytest.raises(CorruptRecordError):
        client.fetch({0, 1, 2}, 9, 0.0)
    assert counts(client.fetch({0, 1, 2}, 9, 0.0)) == {1: 1, 2: 9}
