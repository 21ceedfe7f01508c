"""Dead letters are logged with their numbers, and not each."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.commit.writer import LOG_SECONDS, DeadLetterLog
from consumer.kafka.batch import DeadLetter
from newsreel.events.errors import Reason


def letter(offset: int, reason: Reason = Reason.NOT_JSON) -> DeadLetter:
    return DeadLetter("t", 0, offset, None, b"{", [], reason, f"detail {offset}")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines(log: list[Any]) -> list[dict[str, Any]]:
    return [{n: v for n, v in line.items() if n not in {"event", "log_level"}} for line in log]


def test_first(clock: Clock) -> None:
    """The first dead letter is logged at once, with its position and its reason."""
    with capture_logs() as log:
        DeadLetterLog(clock).observe([letter(7)])
    assert lines(log) == [
        {"not_json": 1, "last": "detail 7", "topic": "t", "partition": 0, "offset": 7}
    ]
    assert log[0]["log_level"] == "warning"


def test_many(clock: Clock) -> None:
    """A thousand dead letters in a minute are a line in ten seconds; none is left uncounted."""
    observed = DeadLetterLog(clock)
    reasons = (Reason.NOT_JSON, Reason.EMPTY_TEXT)
    with capture_logs() as log:
        for number in range(1000):
            clock.now = number * 0.06
            observed.observe([letter(number, reasons[number % 2])])
        observed.flush()
        observed.flush()
    assert len(log) == 60 / LOG_SECONDS + 1
    assert sum(line.get("not_json", 0) for line in log) == 500
    assert sum(line.get("empty_text", 0) for line in log) == 500
    assert log[-1]["offset"] == 999


def test_quiet(clock: Clock) -> None:
    """What was not logged is logged when time has passed, without another dead letter."""
    observed = DeadLetterLog(clock)
    with capture_logs() as log:
        observed.observe([letter(0)])
        clock.now = 1.0
        observed.observe([letter(1), letter(2)])
        observed.observe([])
        assert len(log) == 1
        clock.now = LOG_SECONDS + 1
        observed.observe([])
        observed.observe([])
    assert len(log) == 2
    assert (log[1]["not_json"], log[1]["offset"]) == (2, 2)


def test_none(clock: Clock) -> None:
    """Without dead letters nothing is logged."""
    observed = DeadLetterLog(clock)
    with capture_logs() as log:
        observed.observe([])
        observed.flush()
    assert log == []
