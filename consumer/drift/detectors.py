"""Detection of a rising error by River's change detectors, with a state that can be saved."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from consumer.drift.config import DetectorName

KSWIN_WINDOW = 600

SEARCH_WINDOW = 400
"""Number of the latest values in which the change point is searched."""

MIN_SEGMENT = 8
"""Minimum number of values on either side of the change point."""


def _adwin() -> Any:
    from river import drift  # noqa: PLC0415 - the import takes a second

    return drift.ADWIN(delta=0.002)


def _page_hinkley() -> Any:
    from river import drift  # noqa: PLC0415

    return drift.PageHinkley(mode="up", delta=0.1, threshold=20.0)


def _kswin() -> Any:
    from river import drift  # noqa: PLC0415

    return drift.KSWIN(alpha=1e-8, window_size=KSWIN_WINDOW, stat_size=100, seed=0)


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """Specification of one of River's change detectors.

    Attributes
    ----------
    build
        Function that builds the detector.
    history
        Number of values from which a detector is rebuilt.
    window_mean
        Function that returns the mean of the detector's window, to tell a rise from a fall. None
        for a detector that detects rises only.
    """

    build: Callable[[], Any]
    history: int
    window_mean: Callable[[Any], float] | None = None


DETECTORS: Mapping[DetectorName, DetectorSpec] = {
    "adwin": DetectorSpec(_adwin, 10_000, lambda adwin: float(adwin.estimation)),
    "page-hinkley": DetectorSpec(_page_hinkley, 10_000),
    "kswin": DetectorSpec(_kswin, KSWIN_WINDOW, lambda kswin: float(np.mean(kswin.window or 0.0))),
}
"""Change detectors by name.

ADWIN: Bifet and Gavaldà (2007), "Learning from time-changing data with adaptive windowing"; bounds
the rate of false alarms itself. Page-Hinkley: Page (1954), "Continuous inspection schemes". KSWIN:
Raab et al. (2020). The settings of Page-Hinkley and KSWIN avoid false alarms on a stream without
drift (docs/drift.md).
"""


@dataclass(frozen=True, slots=True)
class ErrorChange:
    """A rise of the mean.

    ``length`` is the number of values since the change; ``before`` and ``after`` are the means of
    the values before and after the change.
    """

    length: int
    before: float
    after: float


class ErrorDriftDetector:
    """Detects a rise of the mean of a series.

    A falling mean is not reported, because the model is learning. River's detectors can't be
    saved; the detector is therefore rebuilt from its latest values on a restore, after a detection,
    and whenever it has twice the values of its `DetectorSpec.history`.

    Parameters
    ----------
    spec
        One of `DETECTORS`.

    Examples
    --------
    >>> detector = ErrorDriftDetector(DETECTORS["adwin"])
    >>> errors = [0.0, 0.0, 0.0, 1.0] * 250 + [1.0] * 100
    >>> [number for number, error in enumerate(errors) if detector.update(error)]
    [1023]
    """

    def __init__(self, spec: DetectorSpec) -> None:
        self._spec = spec
        self._detector = spec.build()
        self._values: list[float] = []

    def update(self, value: float) -> ErrorChange | None:
        """Add a value; return the change if the value reveals a rise of the mean."""
        mean = self._spec.window_mean
        before = mean(self._detector) if mean else -math.inf
        self._add(value)
        if self._detector.drift_detected:
            return self._locate() if mean is None or mean(self._detector) > before else None
        if len(self._values) >= 2 * self._spec.history:
            self._rebuild(self._spec.history)
        return None

    def _locate(self) -> ErrorChange:
        recent = self._values[-SEARCH_WINDOW:]
        split = change_point(recent)
        change = ErrorChange(
            len(recent) - split, float(np.mean(recent[:split])), float(np.mean(recent[split:]))
        )
        self._rebuild(change.length)
        return change

    def _add(self, value: float) -> None:
        self._values.append(value)
        self._detector.update(value)

    def _rebuild(self, count: int) -> None:
        """Rebuild the detector from the latest ``count`` values."""
        values = self._values[-count:]
        self._detector = self._spec.build()
        self._values = []
        for value in values:
            self._add(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the values from which the detector is rebuilt."""
        return {"values": torch.tensor(self._values, dtype=torch.float64)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._values = state["values"].tolist()
        self._rebuild(len(self._values))


def change_point(values: Sequence[float]) -> int:
    """Return the index at which a series splits best into two segments of different means.

    The index is that of the second segment's first value. Either segment has at least `MIN_SEGMENT`
    values, or half of the values of a series shorter than two such segments.
    """
    count = len(values)
    shortest = min(MIN_SEGMENT, count // 2)
    sizes = np.arange(1, count)
    sums = np.cumsum(values)[:-1] - sizes * np.mean(values)
    scores = sums**2 / (sizes * (count - sizes))
    candidates = scores[shortest - 1 : count - shortest]
    return int(candidates.argmax()) + shortest if len(candidates) else shortest
