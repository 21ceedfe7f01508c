"""How long polls wait for records, and the pauses after polls without any."""

import pytest

from consumer.kafka.pace import LONGEST_SECONDS, PAUSE_SECONDS, POLL_SECONDS, Pace


def test_waits() -> None:
    """A poll waits for long only where no partition has a backlog."""
    assert Pace().wait(behind=True) == POLL_SECONDS
    assert Pace().wait(behind=False) == LONGEST_SECONDS
    assert Pace(0.1).wait(behind=False) == 0.1
    assert Pace(60.0).longest == LONGEST_SECONDS


def test_pauses_grow_until_a_record_arrives() -> None:
    """Brokers that answer at once with nothing are asked more and more rarely."""
    pace = Pace()
    pauses = [pace.pause(0.001, found=False, behind=False) for _ in range(6)]
    assert pauses[0] == PAUSE_SECONDS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_SECONDS
    assert pace.pause(0.001, found=True, behind=False) == 0.0
    assert pace.pause(0.001, found=False, behind=False) == PAUSE_SECONDS


def test_a_broker_that_waits_is_asked_again_at_once() -> None:
    """No pause delays records where the broker itself has waited for them."""
    assert Pace().pause(LONGEST_SECONDS, found=False, behind=False) == 0.0


@pytest.mark.parametrize("longest", [LONGEST_SECONDS, 0.002])
def test_a_backlog_has_short_pauses(longest: float) -> None:
    """While a partition with a backlog returns nothing, pauses do not grow."""
    pace = Pace(longest)
    pauses = {pace.pause(1.0, found=False, behind=True) for _ in range(6)}
    assert pauses == {min(PAUSE_SECONDS, longest)}
