"""Sides of a question, measured in turns: what slows the machine for a while slows all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import structlog

Measure = Callable[[int], float]
"""Takes the number of the round and returns a figure."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and range over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarize values, one at least."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures of some sides, one each round; the others are compared with the side ``base``.

    ``name`` is for programs, ``title`` for people; ``about`` says what was measured.
    """

    name: str
    title: str
    about: str
    unit: str
    base: str
    figures: Mapping[str, Sequence[float]]

    def spread(self, side: str) -> Spread:
        """Return the figures of a side."""
        return Spread.of(self.figures[side])

    def ratio(self, side: str) -> Spread:
        """Return the ratio of a side to the base, each round by itself."""
        pairs = zip(self.figures[side], self.figures[self.base], strict=True)
        return Spread.of([one / other for one, other in pairs])

    def summary(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "about": self.about,
            "unit": self.unit,
            "base": self.base,
            "sides": {
                side: {
                    "figures": list(figures),
                    "figure": _plain(self.spread(side)),
                    "ratio": _plain(self.ratio(side)),
                }
                for side, figures in self.figures.items()
            },
        }


def interleave(
    sides: Mapping[str, Measure], rounds: int, warm_up: int = 0
) -> dict[str, list[float]]:
    """Measure all sides one after the other, and that again and again.

    Parameters
    ----------
    warm_up
        Rounds before those that count.
    """
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(warm_up + rounds):
        for side, measure in sides.items():
            figure = measure(number)
            if number >= warm_up:
                log.info("measured", side=side, round=number - warm_up + 1, figure=f"{figure:.4g}")
                figures[side].append(figure)
    return figures


def _plain(spread: Spread) -> dict[str, float]:
    return {"median": spread.median, "min": spread.least, "max": spread.most}
