"""Replay ratios carry fractions over, and decrease with the lag."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.replay.ratio import FixedRatio, LagAwareRatio, ReplayRatio

ratios = st.integers(0, 40).map(lambda tenths: tenths / 10)

sizes = st.lists(st.integers(1, 40), max_size=200)


@settings(deadline=None)
@given(ratio=ratios, sizes=sizes, lag=st.integers(0, 10**6))
def test_fractions_add_up(ratio: float, sizes: list[int], lag: int) -> None:
    """After every step, the replayed documents are the ratio times the new ones, rounded down."""
    replay = FixedRatio(ratio)
    exact = Fraction(round(10 * ratio), 10)
    new = replayed = 0
    for size in sizes:
        new += size
        replayed += replay.due(size, lag)
        assert replayed == int(exact * new)


@settings(deadline=None)
@given(ratio=ratios, sizes=sizes, lag=st.integers(0, 100))
def test_fixed_ratio_up_to_the_target_lag(ratio: float, sizes: list[int], lag: int) -> None:
    """Up to the target lag, the number of replayed documents is that of a fixed ratio."""
    fixed, aware = FixedRatio(ratio), LagAwareRatio(ratio, target=100)
    assert [aware.due(size, lag) for size in sizes] == [fixed.due(size, lag) for size in sizes]


@settings(deadline=None)
@given(
    ratio=ratios,
    target=st.integers(1, 1000),
    lags=st.lists(st.integers(0, 10**6), min_size=2).map(sorted),
)
def test_ratio_decreases_with_the_lag(ratio: float, target: int, lags: list[int]) -> None:
    """Above the target, the number of replayed documents is inversely proportional to the lag."""
    due = [LagAwareRatio(ratio, target).due(1000, lag) for lag in lags]
    assert due == sorted(due, reverse=True)
    for count, lag in zip(due, lags, strict=True):
        assert count == pytest.approx(1000 * ratio * min(1, target / max(lag, 1)), abs=1)


def test_ratio_recovers_after_a_lag() -> None:
    """After a lag, the ratio returns to its value; skipped replay is not repeated later."""
    replay = LagAwareRatio(1.0, target=50)
    assert [replay.due(16, lag) for lag in (0, 100, 200, 100, 50, 0)] == [16, 8, 4, 8, 16, 16]


@pytest.mark.parametrize("lag", [0, 90])
@pytest.mark.parametrize("make", [FixedRatio, lambda ratio: LagAwareRatio(ratio, target=30)])
@pytest.mark.parametrize("stop", [0, 1, 7])
def test_remainder_survives_a_restart(
    make: Callable[[float], ReplayRatio],
    restore: Callable[[ReplayRatio, ReplayRatio], None],
    stop: int,
    lag: int,
) -> None:
    """A restored ratio carries the same fraction over as without a restart."""
    uninterrupted, stopped, restored = make(0.3), make(0.3), make(0.3)
    whole = [uninterrupted.due(1, lag) for _ in range(20)]
    parts = [stopped.due(1, lag) for _ in range(stop)]
    restore(stopped, restored)
    assert parts + [restored.due(1, lag) for _ in range(20 - stop)] == whole
