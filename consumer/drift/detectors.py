"""River's change detectors, so that a rise of the error is told, and they can be saved."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from consumer.drift.config import DetectorName

KSWIN_WINDOW = 600

LOOK_BACK = 400
"""Values among which the moment of a change is looked for."""

LEAST = 8
"""Values on either side of it."""


def _adwin() -> Any:
    from river import drift  # noqa: PLC0415 - takes a second to import

    return drift.ADWIN(delta=0.002)


def _page_hinkley() -> Any:
    from river import drift  # noqa: PLC0415

    return drift.PageHinkley(mode="up", delta=0.1, threshold=20.0)


def _kswin() -> Any:
    from river import drift  # noqa: PLC0415

    return drift.KSWIN(alpha=1e-8, window_size=KSWIN_WINDOW, stat_size=100, seed=0)


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """A detector of River's.

    ``make`` makes one, that looks back on ``remembered`` values at least. ``level`` is the mean of
    its window, from which it is seen whether values rose or fell; None where it tells of rises
    only.
    """

    make: Callable[[], Any]
    remembered: int
    level: Callable[[Any], float] | None = None


DETECTORS: Mapping[DetectorName, DetectorSpec] = {
    "adwin": DetectorSpec(_adwin, 10_000, lambda made: float(made.estimation)),
    "page-hinkley": DetectorSpec(_page_hinkley, 10_000),
    "kswin": DetectorSpec(_kswin, KSWIN_WINDOW, lambda made: float(np.mean(made.window or 0.0))),
}
"""ADWIN: Bifet and Gavaldà 2007, "Learning from time-changing data with adaptive windowing", with
its own bound on false alarms; Page 1954, "Continuous inspection schemes"; KSWIN: Raab et al. 2020.
The settings of the latter two are such that a stream that does not change is quiet (docs/drift.md).
"""


@dataclass(frozen=True, slots=True)
class ErrorChange:
    """Values are larger than they were: since how many of them, and their means."""

    since: int
    before: float
    after: float


class ErrorDriftDetector:
    """Tells when the mean of a series rises; that it falls is no drift, but learning.

    Parameters
    ----------
    kind
        One of `DETECTORS`. As its state can't be saved, it is made anew from the values that it
        may look back on, now and then, and when it is restored.
    """

    def __init__(self, kind: DetectorSpec) -> None:
        self._kind = kind
        self._detector = kind.make()
        self._values: list[float] = []

    def update(self, value: float) -> ErrorChange | None:
        """Take in the next value."""
        level = self._kind.level
        before = level(self._detector) if level else -math.inf
        self._add(value)
        if self._detector.drift_detected:
            return self._rise() if level is None or level(self._detector) > before else None
        if len(self._values) >= 2 * self._kind.remembered:
            self._restart(self._kind.remembered)
        return None

    def _rise(self) -> ErrorChange:
        recent = self._values[-LOOK_BACK:]
        split = change_point(recent)
        rise = ErrorChange(
            len(recent) - split, float(np.mean(recent[:split])), float(np.mean(recent[split:]))
        )
        self._restart(rise.since)
        return rise

    def _add(self, value: float) -> None:
        self._values.append(value)
        self._detector.update(value)

    def _restart(self, kept: int) -> None:
        """Begin anew with the last values."""
        values = self._values[-kept:]
        self._detector = self._kind.make()
        self._values = []
        for value in values:
            self._add(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the values that the detector's state follows from."""
        return {"values": torch.tensor(self._values, dtype=torch.float64)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._values = state["values"].tolist()
        self._restart(len(self._values))


def change_point(values: Sequence[float]) -> int:
    """Return where a series splits best into two of different means: the first of the second part.

    At least `LEAST` on either side, or half of fewer than twice as many.
    """
    count = len(values)
    least = min(LEAST, count // 2)
    sizes = np.arange(1, count)
    sums = np.cumsum(values)[:-1] - sizes * np.mean(values)
    scores = sums**2 / (sizes * (count - sizes))
    inside = scores[least - 1 : count - least]
    return int(inside.argmax()) + least if len(inside) else least
