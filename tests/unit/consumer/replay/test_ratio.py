"""How much is replayed: fractions add up, and less is replayed in a hurry."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.replay.ratio import FixedRatio, LagAwareRatio

ratios = st.integers(0, 40).map(lambda tenths: tenths / 10)

sizes = st.lists(st.integers(1, 40), max_size=200)


@settings(deadline=None)
@given(ratio=ratios, sizes=sizes, lag=st.integers(0, 10**6))
def test_fractions_add_up(ratio: float, sizes: list[int], lag: int) -> None:
    """After every step the whole documents that the ratio makes of the new ones were replayed."""
    replay = FixedRatio(ratio)
    exact = Fraction(round(10 * ratio), 10)
    new = replayed = 0
    for size in sizes:
        new += size
        replayed += replay.due(size, lag)
        assert replayed == int(exact * new)


@settings(deadline=None)
@given(ratio=ratios, sizes=sizes, lag=st.integers(0, 100))
def test_caught_up(ratio: float, sizes: list[int], lag: int) -> None:
    """While no more records wait than may, as much is replayed as with a fixed ratio."""
    fixed, aware = FixedRatio(ratio), LagAwareRatio(ratio, target=100)
    assert [aware.due(size, lag) for size in sizes] == [fixed.due(size, lag) for size in sizes]


@settings(deadline=None)
@given(
    ratio=ratios,
    target=st.integers(1, 1000),
    lags=st.lists(st.integers(0, 10**6), min_size=2).map(sorted),
)
def test_less_in_a_hurry(ratio: float, target: int, lags: list[int]) -> None:
    """The more records wait, the less is replayed: in proportion, and never a negative number."""
    due = [LagAwareRatio(ratio, target).due(1000, lag) for lag in lags]
    assert due == sorted(due, reverse=True)
    for count, lag in zip(due, lags, strict=True):
        assert count == pytest.approx(1000 * ratio * min(1, target / max(lag, 1)), abs=1)


def test_returns_after_catching_up() -> None:
    """What was saved in a hurry is not made up for: afterwards it is as if there had been none."""
    replay = LagAwareRatio(1.0, target=50)
    assert [replay.due(16, lag) for lag in (0, 100, 200, 100, 50, 0)] == [16, 8, 4, 8, 16, 16]


@pytest.mark.parametrize("lag", [0, 90])
@pytest.mark.parametrize("make", [FixedRatio, lambda ratio: LagAwareRatio(ratio, target=30)])
@pytest.mark.parametrize("stop", [0, 1, 7])
def test_restored_goes_on(make: Any, restore: Any, stop: int, lag: int) -> None:
    """The fraction that is owed survives a restart."""
    uninterrupted, stopped, restored = make(0.3), make(0.3), make(0.3)
    whole = [uninterrupted.due(1, lag) for _ in range(20)]
    parts = [stopped.due(1, lag) for _ in range(stop)]
    restore(stopped, restored)
    assert parts + [restored.due(1, lag) for _ in range(20 - stop)] == whole
