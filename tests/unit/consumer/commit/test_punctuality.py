"""Commits that fail are reported once they have failed for longer than their interval allows."""

import pytest

from consumer.commit.punctuality import GRACE_SECONDS, SLOW_SECONDS, Punctuality


class Times:
    """Punctuality with a clock that the test sets."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.now = 1000.0
        self.punctuality = Punctuality(seconds, lambda: self.now)

    def problem(self, reason: str | None = None) -> str | None:
        return self.punctuality.problem(reason)


def test_nothing_waits() -> None:
    """Without work, no commit is missing, however much time passes."""
    times = Times()
    times.now += 1e6
    assert times.problem("old") is None
    assert times.punctuality.overdue() == 0.0


def test_commits_in_time() -> None:
    """Commits that succeed in their interval are no problem, also while work arrives."""
    times = Times()
    for _ in range(100):
        times.punctuality.changed()
        times.now += 60.0 - GRACE_SECONDS + 1.0
        times.punctuality.begun()
        times.punctuality.changed()
        times.now += GRACE_SECONDS - 1.0
        assert times.problem() is None
        times.punctuality.succeeded()


@pytest.mark.parametrize("seconds", [1.0, 60.0, 600.0])
def test_attempts_that_fail(seconds: float) -> None:
    """The oldest work counts: new attempts and new work do not hide that nothing is committed."""
    times = Times(seconds)
    times.punctuality.changed()
    times.now += seconds
    for _ in range(3):
        times.punctuality.begun()
        times.punctuality.failed()
        times.punctuality.changed()
        times.now += GRACE_SECONDS / 3
        assert times.problem("the disk is full") is None
    times.now += 1.0
    assert str(times.problem("the disk is full")).endswith(": the disk is full")
    assert times.punctuality.overdue() == pytest.approx(GRACE_SECONDS + 1.0)
    times.punctuality.begun()
    times.punctuality.succeeded()
    assert times.problem() is None


def test_a_commit_that_takes_long() -> None:
    """A commit that hangs is reported before the next one is due."""
    times = Times(3600.0)
    times.punctuality.changed()
    times.punctuality.begun()
    times.now += SLOW_SECONDS + 1.0
    assert times.problem() == "a commit takes 61 s"
    assert times.problem("a broker is away") == "no commit for 61 s: a broker is away"


def test_no_attempt() -> None:
    """Work that no commit takes up is reported, too."""
    times = Times(60.0)
    times.punctuality.changed()
    times.now += 180.0
    assert times.problem() == "no commit for 3 min: none has begun"
