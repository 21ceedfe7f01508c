"""The polling thread, when the Kafka client fails in a way of its own."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from consumer.poller import Poller, PollError

PATIENCE_SECONDS = 3.0
"""How long an answer may take that takes no time."""


class Client:
    """Stands in for kafka-python's consumer: one partition, no records, and an error to raise."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.poll_error: Exception | None = None

    def subscribe(self, *_: Any, **__: Any) -> None:
        pass

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("documents", 0)}

    def paused(self) -> set[TopicPartition]:
        return set()

    def resume(self, *_: Any) -> None:
        pass

    def end_offsets(self, *_: Any, **__: Any) -> dict[TopicPartition, int]:
        return {TopicPartition("documents", 0): 0}

    def poll(self, **_: Any) -> dict[Any, Any]:
        if self.poll_error is not None:
            raise self.poll_error
        time.sleep(0.001)
        return {}

    def commit(self, _: Any) -> None:
        if self.error is not None:
            raise self.error

    def close(self, **_: Any) -> None:
        pass


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def poller(client: Client) -> Iterator[Poller]:
    made = Poller(client, "documents", capacity=10)
    made.start()
    while not made.assigned:
        time.sleep(0.001)
    yield made
    made.close()


def outcome(call: Any) -> Exception | None:
    """Return what a call raised, or fail if it does not come back."""
    raised: list[Exception | None] = []

    def attempt() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - handed to the test
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert raised, "it never came back"
    return raised[0]


def test_commit(poller: Poller, client: Client) -> None:
    """A commit comes back when the broker has it, and with the broker's error when it has not."""
    assert outcome(lambda: poller.commit({0: 1}, "id")) is None
    client.error = KafkaTimeoutError("no answer")
    assert outcome(lambda: poller.commit({0: 1}, "id")) is client.error
    client.error = None
    assert outcome(lambda: poller.commit({0: 1}, "id")) is None
    assert poller.complaint() is None


def test_commit_that_fails_in_no_way_foreseen(poller: Poller, client: Client) -> None:
    """Whatever a commit fails with, whoever waits for it gets to know."""
    client.error = AssertionError("a bug in the client")
    assert outcome(lambda: poller.commit({0: 1}, "id")) is not None


def test_death_of_the_thread(poller: Poller, client: Client) -> None:
    """When polling fails, it is told in one line to whoever reads, commits, or asks for health."""
    client.poll_error = RuntimeError("no more")
    while poller.complaint() is None:
        time.sleep(0.001)
    for call in (lambda: poller.take(10.0), lambda: poller.commit({0: 1}, "id")):
        error = outcome(call)
        assert isinstance(error, PollError)
        assert "no more" in str(error)
        assert len(str(error).splitlines()) == 1
    assert "no more" in str(poller.complaint())
    assert "no more" in str(poller.not_ready())
