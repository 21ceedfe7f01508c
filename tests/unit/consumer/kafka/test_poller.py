"""The polling thread, when the Kafka client raises errors."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from helpers import CountPolls
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, OffsetOutOfRangeError

from consumer.kafka import poller as module
from consumer.kafka.poller import LostOffsets, Poller, PollError

PARTITION = TopicPartition("documents", 0)

PATIENCE_SECONDS = 5.0


class Client:
    """A Kafka client in memory: a partition without records, and errors to raise."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.partitions = {0}
        self.beginning = 0
        self.end = 0
        self.positions: dict[TopicPartition, int] = {}

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, -1)

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

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
    client: Client, lost_offsets: LostOffsets = "stop", observer: CountPolls | None = None
) -> Iterator[Poller]:
    poller = Poller(client, "documents", {0: 5}, 10, lost_offsets, observer or CountPolls())
    poller.start()
    try:
        yield poller
    finally:
        poller.close()


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def failure(poller: Poller) -> str:
    """Return the message with which taking fails: one line."""
    wait_until(poller.problem)
    with pytest.raises(PollError) as failed:
        poller.queue.take(PATIENCE_SECONDS)
    assert len(str(failed.value).splitlines()) == 1
    return str(failed.value)


def test_first_positions(client: Client) -> None:
    """Reading begins at the given positions; while the broker answers, the poller is ready."""
    with polling(client) as poller:
        assert client.positions == {PARTITION: 5}
        wait_until(lambda: poller.queue.in_touch)
        assert poller.queue.take(0.0) is None
        assert poller.not_ready() is None


def test_failure_of_the_thread(client: Client) -> None:
    """When polling fails, taking records and both health checks report it in one line."""
    client.errors = [RuntimeError("no more")]
    with polling(client) as poller:
        assert "no more" in failure(poller)
        assert "no more" in str(poller.problem())
        assert "no more" in str(poller.not_ready())


def test_outage(client: Client) -> None:
    """A poll that fails with a retriable error is tried again."""
    client.errors = [KafkaConnectionError("away"), KafkaConnectionError("away")]
    with polling(client) as poller:
        wait_until(lambda: not client.errors and poller.queue.in_touch)
        assert poller.problem() is None


@pytest.mark.parametrize("lost_offsets", ["stop", "continue"])
def test_outage_while_lost_records_are_counted(client: Client, lost_offsets: LostOffsets) -> None:
    """The broker may also go away while the poller asks which records are lost."""
    errors: list[Exception] = [KafkaConnectionError("away")]
    answer = client.end_offsets

    def end_offsets(*arguments: Any, **options: Any) -> Any:
        if errors and not options:  # not the regular question
            raise errors.pop()
        return answer(*arguments, **options)

    client.end_offsets = end_offsets  # type: ignore[method-assign]
    client.end, client.errors = 10, [OffsetOutOfRangeError({}), OffsetOutOfRangeError({})]
    with polling(client, lost_offsets=lost_offsets) as poller:
        wait_until(lambda: not client.errors)
        assert poller.problem() is None


def test_lost_records_stop_the_poller(client: Client) -> None:
    """The error counts records deleted before they were read, and names the option to continue."""
    client.beginning, client.end = 8, 20
    client.errors = [OffsetOutOfRangeError({PARTITION: 5})]
    with polling(client, lost_offsets="stop") as poller:
        message = failure(poller)
    assert "3 records from 5 on" in message
    assert "--lost-offsets continue" in message


def test_lost_records_are_skipped(client: Client) -> None:
    """With "continue", reading continues at the first record that is left."""
    client.beginning, client.end = 8, 20
    client.errors = [OffsetOutOfRangeError({PARTITION: 5})]
    observer = CountPolls()
    with polling(client, lost_offsets="continue", observer=observer):
        wait_until(lambda: observer.records)
        assert (observer.records, client.positions) == (3, {PARTITION: 8})


@pytest.mark.parametrize("lost_offsets", ["stop", "continue"])
def test_topic_created_again(client: Client, lost_offsets: LostOffsets) -> None:
    """A topic that ends before the position is another topic: both options stop."""
    client.end = 2
    client.errors = [OffsetOutOfRangeError({PARTITION: 5})]
    with polling(client, lost_offsets=lost_offsets) as poller:
        assert "created again" in failure(poller)


def test_added_partition(client: Client) -> None:
    """A partition that is added is read from its beginning; other positions stay.

    Reading from its end would skip records written before the poller noticed the partition.
    """
    with polling(client):
        client.positions[PARTITION] = 7
        client.partitions, client.beginning, client.end = {0, 1}, 3, 9
        wait_until(lambda: len(client.positions) == 2)
        assert client.positions == {PARTITION: 7, TopicPartition("documents", 1): 3}
