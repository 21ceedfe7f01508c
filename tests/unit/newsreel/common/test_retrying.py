"""Requests to Kafka are tried again by one rule."""

import threading
import time
from collections.abc import Callable

import pytest
from kafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from structlog.testing import capture_logs

from newsreel.common import retrying
from newsreel.common.errors import UserError
from newsreel.common.kafka import BrokerUnreachableError
from newsreel.common.retrying import (
    OutageError,
    RefusalError,
    Waiting,
    interruptible,
    retry,
)
from newsreel.common.shutdown import StoppedError


class Clock:
    """A clock on which each look takes some seconds."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


class Request:
    """A request that fails some times; each attempt is counted."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "RETRY_SECONDS", 0.0)


def endless(error: Exception) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [KafkaConnectionError("111"), OSError("x"), BrokerUnreachableError("none there")]
)
def test_what_heals_is_tried_again(error: Exception) -> None:
    """A request that fails for a while succeeds in the end."""
    request = Request(error, error, error)
    assert retry(request, Waiting("a test")) == "answer"
    assert request.attempts == 4


def test_what_stays_is_not_tried_again() -> None:
    """A refusal ends the attempts at once; the error has the right to change."""
    request = Request(TopicAuthorizationFailedError("t"))
    with pytest.raises(RefusalError, match=r"^[^\n]*allow the user to describe[^\n]*: t\)$"):
        retry(request, Waiting("a test"))
    assert request.attempts == 1
    with pytest.raises(UserError, match=r"^mistake$"):
        retry(Request(UserError("mistake")), Waiting("a test"))


def test_a_start_waits_for_a_minute() -> None:
    """After a minute a start gives up; the error says what it waited for, and what is wrong."""
    clock = Clock(1.0)
    with pytest.raises(OutageError) as failed:
        retry(endless(KafkaConnectionError()), Waiting("the topics", clock=clock), clock=clock)
    assert 55 < clock.now < 70
    assert str(failed.value) == (
        "Kafka is not ready for the topics: a broker can't be reached; check the brokers, then"
        " start again"
    )


def test_an_error_for_the_user_is_raised_as_it_is() -> None:
    """After a minute, an error that says itself what to do is raised."""
    with pytest.raises(BrokerUnreachableError, match=r"^none there$"):
        retry(endless(BrokerUnreachableError("none there")), Waiting("x"), clock=Clock(10.0))


def test_what_the_cluster_shows_is_said() -> None:
    """The error and the log line say what a look at the cluster shows."""
    waiting = Waiting("the topics", lambda: "partition 2 of topic 't' has no leader")
    with capture_logs() as logs, pytest.raises(OutageError, match="partition 2 of topic 't' has"):
        retry(endless(KafkaConnectionError()), waiting, clock=Clock(9.0))
    assert [line["reason"] for line in logs] == ["partition 2 of topic 't' has no leader"]


def test_one_line_a_minute() -> None:
    """A wait is logged once for each minute, and its end once."""
    clock = Clock(5.0)
    request = Request(*[KafkaConnectionError()] * 30)
    with capture_logs() as logs:
        retry(request, Waiting("the topics", clock=clock), seconds=10_000.0)
    assert [line["event"] for line in logs] == [*["waiting for Kafka"] * 3, "Kafka is ready"]
    with capture_logs() as logs:
        retry(Request(), Waiting("the topics"))
    assert logs == []


def test_a_signal_ends_the_wait() -> None:
    """A request that hangs, or fails for ever, ends within a second of a signal."""
    for action in (lambda: time.sleep(30), endless(KafkaError())):
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        began = time.monotonic()
        with pytest.raises(StoppedError):
            retry(action, Waiting("a test"), stop.is_set)
        assert time.monotonic() - began < 5


def test_interruptible() -> None:
    """A result and an error of another thread are those of the call."""
    assert interruptible(lambda: 3, lambda: False) == 3
    with pytest.raises(TimeoutError, match="mine"):
        interruptible(Request(TimeoutError("mine")), lambda: False)
    request = Request()
    with pytest.raises(StoppedError):
        interruptible(request, lambda: True)
    assert request.attempts == 0


def test_a_slow_request_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that neither fails nor ends is said where the cluster shows why."""
    monkeypatch.setattr(retrying, "SLOW_SECONDS", 0.01)

    def lines(found: str | None) -> int:
        looked = threading.Event()

        def look() -> str | None:
            looked.set()
            return found

        def request() -> None:
            assert looked.wait(5.0)
            end = time.monotonic() + 5.0
            while found and not logs and time.monotonic() < end:
                time.sleep(0.001)

        with capture_logs() as logs:
            retry(request, Waiting("a commit", look))
        return len(logs)

    assert (lines("no answer from broker 2"), lines(None)) == (2, 0)


def test_a_look_that_outlasts_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a look at the cluster finds is not said once the program waits no longer."""
    monkeypatch.setattr(retrying, "SLOW_SECONDS", 0.0)
    looking, ended, looked = threading.Event(), threading.Event(), threading.Event()

    def look() -> str:
        looking.set()
        ended.wait(5.0)
        looked.set()
        return "no answer from broker 2"

    with capture_logs() as logs:
        retry(lambda: looking.wait(5.0), Waiting("a commit", look))
        ended.set()
        assert looked.wait(5.0)
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join(5.0)
    assert logs == []
