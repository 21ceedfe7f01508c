"""The polling thread, when the Kafka client has something unpleasant to say."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from helpers import Polled
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, OffsetOutOfRangeError

from consumer.kafka import poller as module
from consumer.kafka.poller import Poller, PollError

HERE = TopicPartition("documents", 0)

PATIENCE_SECONDS = 5.0


class Client:
    """Stands in for kafka-python's consumer: a partition without records, and errors to raise."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.partitions = {0}
        self.beginning = 0
        self.end = 0
        self.at: dict[TopicPartition, int] = {}

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.at = dict.fromkeys(partitions, -1)

    def assignment(self) -> set[TopicPartition]:
        return set(self.at)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.at[partition] = offset

    def position(self, partition: TopicPartition) -> int:
        return self.at[partition]

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(self.partitions)

    def beginning_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.beginning)

    def end_offsets(self, partitions: Any, **_: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.end)

    def poll(self, **_: Any) -> dict[Any, Any]:
        if self.errors:
            raise self.errors.pop(0)
        time.sleep(0.001)
        return {}

    def pause(self, *_: Any) -> None: ...

    def resume(self, *_: Any) -> None: ...

    def paused(self) -> set[TopicPartition]:
        return set()

    def close(self, **_: Any) -> None: ...


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


@contextmanager
def polling(
    client: Client, lost_offsets: Any = "stop", observer: Polled | None = None
) -> Iterator[Poller]:
    made = Poller(client, "documents", {0: 5}, 10, lost_offsets, observer or Polled())
    made.start()
    try:
        yield made
    finally:
        made.close()


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def complaint(poller: Poller) -> str:
    """Return what a read fails with: one line."""
    wait_until(poller.complaint)
    with pytest.raises(PollError) as failed:
        poller.take(PATIENCE_SECONDS)
    assert len(str(failed.value).splitlines()) == 1
    return str(failed.value)


def test_it_begins_where_it_is_told(client: Client) -> None:
    """Reading goes on at the given positions; while the broker answers, it is ready."""
    with polling(client) as poller:
        assert client.at == {HERE: 5}
        wait_until(lambda: poller.in_touch)
        assert poller.take(0.0) is None
        assert poller.not_ready() is None


def test_death_of_the_thread(client: Client) -> None:
    """When polling fails, it is told in one line to whoever reads or asks for health."""
    client.errors = [RuntimeError("no more")]
    with polling(client) as poller:
        assert "no more" in complaint(poller)
        assert "no more" in str(poller.complaint())
        assert "no more" in str(poller.not_ready())


def test_an_outage_is_waited_for(client: Client) -> None:
    """What may pass by itself is tried again."""
    client.errors = [KafkaConnectionError("away"), KafkaConnectionError("away")]
    with polling(client) as poller:
        wait_until(lambda: not client.errors and poller.in_touch)
        assert poller.complaint() is None


@pytest.mark.parametrize("lost_offsets", ["stop", "continue"])
def test_an_outage_while_it_asks_what_is_lost(client: Client, lost_offsets: Any) -> None:
    """The broker may go away at that moment, too."""
    away: list[Exception] = [KafkaConnectionError("away")]
    found = client.end_offsets

    def end_offsets(*arguments: Any, **options: Any) -> Any:
        if away and not options:  # not the regular look
            raise away.pop()
        return found(*arguments, **options)

    client.end_offsets = end_offsets  # type: ignore[method-assign]
    client.end, client.errors = 10, [OffsetOutOfRangeError({}), OffsetOutOfRangeError({})]
    with polling(client, lost_offsets=lost_offsets) as poller:
        wait_until(lambda: not client.errors)
        assert poller.complaint() is None


def test_lost_records_stop_it(client: Client) -> None:
    """Records that were deleted before they were read are counted, with the way to go on."""
    client.beginning, client.end = 8, 20
    client.errors = [OffsetOutOfRangeError({HERE: 5})]
    with polling(client, lost_offsets="stop") as poller:
        message = complaint(poller)
    assert "3 records from 5 on" in message
    assert "--lost-offsets continue" in message


def test_lost_records_are_passed_over(client: Client) -> None:
    """Where it is told to, it goes on at the first record that is left."""
    client.beginning, client.end = 8, 20
    client.errors = [OffsetOutOfRangeError({HERE: 5})]
    observer = Polled()
    with polling(client, lost_offsets="continue", observer=observer):
        wait_until(lambda: observer.records)
        assert (observer.records, client.at) == (3, {HERE: 8})


@pytest.mark.parametrize("lost_offsets", ["stop", "continue"])
def test_a_topic_made_anew(client: Client, lost_offsets: Any) -> None:
    """A topic that ends before the position is another one: neither way goes on."""
    client.end = 2
    client.errors = [OffsetOutOfRangeError({HERE: 5})]
    with polling(client, lost_offsets=lost_offsets) as poller:
        assert "made anew" in complaint(poller)


def test_partitions_gained(client: Client) -> None:
    """A partition that the topic gains is read from its beginning; the others stay where they are.

    Not from its end: what was written before anybody looked would never be read.
    """
    with polling(client):
        client.at[HERE] = 7
        client.partitions, client.beginning, client.end = {0, 1}, 3, 9
        wait_until(lambda: len(client.at) == 2)
        assert client.at == {HERE: 7, TopicPartition("documents", 1): 3}
