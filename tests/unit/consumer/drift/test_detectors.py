"""Detectors report a rise of the error soon and once, and restore exactly."""

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

pytestmark = pytest.mark.slow

NAMES: list[DetectorName] = list(DETECTORS)


def errors(*parts: tuple[int, float], seed: int = 0) -> list[float]:
    """Draw errors (1.0 or 0.0) from parts, each a number of values and an error rate."""
    random = Random(seed)
    return [float(random.random() < rate) for count, rate in parts for _ in range(count)]


def changes(detector: ErrorDriftDetector, values: list[float]) -> dict[int, ErrorChange]:
    """Return the detected changes by the number of the value that revealed each."""
    detected = {}
    for number, value in enumerate(values):
        if change := detector.update(value):
            detected[number] = change
    return detected


@pytest.mark.parametrize("name", NAMES)
def test_rise(name: DetectorName) -> None:
    """A rise is detected within 100 values, once, with its beginning and both means."""
    detected = changes(ErrorDriftDetector(DETECTORS[name]), errors((3000, 0.1), (1000, 0.6)))
    ((number, change),) = detected.items()
    assert 3000 <= number < 3100
    assert number - change.length == pytest.approx(3000, abs=15)
    assert change.before == pytest.approx(0.1, abs=0.05)
    assert change.after == pytest.approx(0.6, abs=0.2)


@pytest.mark.parametrize("name", NAMES)
def test_second_rise(name: DetectorName) -> None:
    """A second rise is detected like the first."""
    parts = [(2000, 0.1), (1500, 0.5), (3000, 0.1), (1000, 0.6)]
    detected = list(changes(ErrorDriftDetector(DETECTORS[name]), errors(*parts)))
    assert [number // 200 for number in detected] == [10, 32]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_learning_is_no_drift(name: DetectorName, seed: int) -> None:
    """A falling error, as during learning, is not reported as drift."""
    rates = [(100, 0.95 - 0.08 * step) for step in range(10)]
    detector = ErrorDriftDetector(DETECTORS[name])
    assert changes(detector, errors(*rates, (1500, 0.15), (1500, 0.08), seed=seed)) == {}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(split=st.integers(0, 1300), seed=st.integers(0, 100))
def test_restored_state_gives_the_same_changes(name: DetectorName, split: int, seed: int) -> None:
    """A restored detector reports the same changes as one without a restart."""
    values = errors((700, 0.2), (300, 0.6), (300, 0.3), seed=seed)
    whole, first, second = (ErrorDriftDetector(DETECTORS[name]) for _ in range(3))
    expected = changes(whole, values)
    before = changes(first, values[:split])
    second.load_state_dict(first.state_dict())
    after = {split + number: change for number, change in changes(second, values[split:]).items()}
    assert before | after == expected


def test_state_is_bounded() -> None:
    """The state of a long stream stays small, and a rise is still detected."""
    spec = replace(DETECTORS["adwin"], history=500)
    detector, restored = ErrorDriftDetector(spec), ErrorDriftDetector(spec)
    assert changes(detector, errors((5300, 0.1))) == {}
    assert 500 <= len(detector.state_dict()["values"]) < 1000
    restored.load_state_dict(detector.state_dict())
    rest = errors((900, 0.1), (200, 0.5), seed=1)
    assert changes(restored, rest) == changes(detector, rest) != {}


@given(
    left=st.integers(8, 50),
    right=st.integers(8, 50),
    low=st.floats(-5, 5),
    step=st.floats(0.5, 5),
    up=st.booleans(),
)
def test_change_point(left: int, right: int, low: float, step: float, *, up: bool) -> None:
    """The change point of a clear change is exact."""
    high = low + step if up else low - step
    values = [low] * left + [high] * right
    assert change_point(values) == left


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=60))
def test_change_point_is_inside(values: list[float]) -> None:
    """Both segments have at least one value, for any series."""
    assert 0 < change_point(values) < len(values)
    assert np.isfinite(change_point(values))
