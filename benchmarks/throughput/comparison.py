"""Compare sides measured in turns, so that a load on the machine slows all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import Any, Self

import structlog

Measure = Callable[[int], float]
"""Function of the number of a round that returns a figure."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and range over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarize one or more values."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures of several sides, one figure a round.

    Attributes
    ----------
    name, title
        Name in the results file, and title in the report.
    about
        Description of what was measured.
    unit
        Unit of the figures.
    base
        Side that the others are compared with.
    figures
        Figures by side.
    """

    name: str
    title: str
    about: str
    unit: str
    base: str
    figures: Mapping[str, Sequence[float]]

    @classmethod
    def read(cls, cell: Mapping[str, Any]) -> Self:
        """Read a comparison from a cell of the results file."""
        return cls(**{field.name: cell[field.name] for field in fields(cls)})

    def summary(self) -> dict[str, Any]:
        """Return the comparison as fields of a cell."""
        return asdict(self)

    def spread(self, side: str) -> Spread:
        """Return median and range of the figures of a side."""
        return Spread.of(self.figures[side])

    def ratio(self, side: str) -> Spread:
        """Return median and range of the ratios of a side to the base, round by round."""
        pairs = zip(self.figures[side], self.figures[self.base], strict=True)
        return Spread.of([figure / base for figure, base in pairs])


def interleave(
    sides: Mapping[str, Measure], rounds: int, warm_up: int = 0
) -> dict[str, list[float]]:
    """Measure all sides one after the other, round after round.

    Parameters
    ----------
    warm_up
        Number of rounds before those that count.
    """
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(warm_up + rounds):
        for side, measure in sides.items():
            figure = measure(number)
            if number >= warm_up:
                log.info("measured", side=side, round=number - warm_up + 1, figure=f"{figure:.4g}")
                figures[side].append(figure)
    return figures
