"""Curve of values over the stream, with a bounded number of points."""

from collections.abc import Sequence
from typing import Any

MAX_POINTS = 400


class Curve:
    """Curve over the number of documents, thinned to evenly spaced points as the stream grows.

    Examples
    --------
    >>> curve = Curve()
    >>> for documents in (10, 20, 30):
    ...     curve.add(documents, [0.5])
    >>> curve.points
    [[10, 0.5], [20, 0.5], [30, 0.5]]

    Attributes
    ----------
    thinned
        Evenly spaced points, at most `MAX_POINTS`. A point is a number of documents, followed by
        the values.
    """

    def __init__(self) -> None:
        self.thinned: list[list[float]] = []
        self._stride: float = 1
        self._latest: list[float] | None = None

    @property
    def points(self) -> list[list[float]]:
        """Evenly spaced points, followed by the latest point at any distance."""
        if self._latest is None or self._latest[0] == self.thinned[-1][0]:
            return list(self.thinned)
        return [*self.thinned, self._latest]

    def add(self, documents: int, values: Sequence[float]) -> None:
        """Add a point.

        Points at more documents belong to a discarded history and are removed. A point at the same
        number of documents is replaced.
        """
        self._latest = [documents, *values]
        while self.thinned and self.thinned[-1][0] > documents:
            self.thinned.pop()
        if self.thinned and self.thinned[-1][0] == documents:
            self.thinned[-1] = self._latest
        elif not self.thinned or documents >= self.thinned[-1][0] + self._stride:
            self.thinned.append(self._latest)
        if len(self.thinned) > MAX_POINTS:
            self.thinned = self.thinned[1::2]
            self._stride = self.thinned[1][0] - self.thinned[0][0]

    def state_dict(self) -> dict[str, Any]:
        """Return the evenly spaced points and their spacing."""
        return {"curve": list(self.thinned), "stride": self._stride}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.thinned = [
            [int(documents), *map(float, values)] for documents, *values in state["curve"]
        ]
        self._stride = int(state["stride"])
        self._latest = self.thinned[-1] if self.thinned else None
