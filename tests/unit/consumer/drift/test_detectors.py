"""A rise of the error is told, soon and once; and detectors can be saved."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.drift.config import DetectorName
from consumer.drift.detectors import (
    DETECTORS,
    ErrorChange,
    ErrorDriftDetector,
    change_point,
)

NAMES: list[DetectorName] = list(DETECTORS)


def errors(*parts: tuple[int, float], seed: int = 0) -> list[float]:
    """Draw misses: so many of each rate."""
    random = Random(seed)
    return [float(random.random() < rate) for count, rate in parts for _ in range(count)]


def told(detector: ErrorDriftDetector, values: list[float]) -> dict[int, ErrorChange]:
    found = {}
    for number, value in enumerate(values):
        if rise := detector.update(value):
            found[number] = rise
    return found


@pytest.mark.parametrize("name", NAMES)
def test_rise(name: DetectorName) -> None:
    """A rise is told within 100 values, once, with its beginning and both means."""
    found = told(ErrorDriftDetector(DETECTORS[name]), errors((3000, 0.1), (1000, 0.6)))
    ((number, rise),) = found.items()
    assert 3000 <= number < 3100
    assert number - rise.since == pytest.approx(3000, abs=15)
    assert rise.before == pytest.approx(0.1, abs=0.05)
    assert rise.after == pytest.approx(0.6, abs=0.2)


@pytest.mark.parametrize("name", NAMES)
def test_rises_again(name: DetectorName) -> None:
    """A second rise is told like the first."""
    parts = [(2000, 0.1), (1500, 0.5), (3000, 0.1), (1000, 0.6)]
    found = list(told(ErrorDriftDetector(DETECTORS[name]), errors(*parts)))
    assert [number // 200 for number in found] == [10, 32]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_learning_is_no_drift(name: DetectorName, seed: int) -> None:
    """An error that falls, as it does where something is learned, is no drift."""
    rates = [(100, 0.95 - 0.08 * step) for step in range(10)]
    detector = ErrorDriftDetector(DETECTORS[name])
    assert told(detector, errors(*rates, (1500, 0.15), (1500, 0.08), seed=seed)) == {}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(split=st.integers(0, 1300), seed=st.integers(0, 100))
def test_goes_on_as_if_never_saved(name: DetectorName, split: int, seed: int) -> None:
    """A detector that was saved and restored tells the same as one that was not."""
    values = errors((700, 0.2), (300, 0.6), (300, 0.3), seed=seed)
    whole, first, second = (ErrorDriftDetector(DETECTORS[name]) for _ in range(3))
    expected = told(whole, values)
    before = told(first, values[:split])
    second.load_state_dict(first.state_dict())
    after = {split + number: rise for number, rise in told(second, values[split:]).items()}
    assert before | after == expected


def test_state_is_bounded() -> None:
    """However long a stream is quiet, what is remembered of it stays small, and rises are told."""
    kind = replace(DETECTORS["adwin"], remembered=500)
    detector, restored = ErrorDriftDetector(kind), ErrorDriftDetector(kind)
    assert told(detector, errors((5300, 0.1))) == {}
    assert 500 <= len(detector.state_dict()["values"]) < 1000
    restored.load_state_dict(detector.state_dict())
    rest = errors((900, 0.1), (200, 0.5), seed=1)
    assert told(restored, rest) == told(detector, rest) != {}


@given(
    left=st.integers(8, 50),
    right=st.integers(8, 50),
    low=st.floats(-5, 5),
    step=st.floats(0.5, 5),
    up=st.booleans(),
)
def test_change_point(left: int, right: int, low: float, step: float, *, up: bool) -> None:
    """The moment of a clear change is found exactly."""
    high = low + step if up else low - step
    values = [low] * left + [high] * right
    assert change_point(values) == left


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=60))
def test_change_point_is_inside(values: list[float]) -> None:
    """Whatever the values, neither part is empty."""
    assert 0 < change_point(values) < len(values)
    assert np.isfinite(change_point(values))
