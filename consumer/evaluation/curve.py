"""A curve over the stream, of as many points as a plot can show."""

from collections.abc import Sequence
from typing import Any

MAX_POINTS = 400


class Curve:
    """Points at growing numbers of documents, thinned to an even spacing as the stream grows.

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
        Evenly spaced points, `MAX_POINTS` at most. A point is its number of documents, followed by
        its values.
    """

    def __init__(self) -> None:
        self.thinned: list[list[float]] = []
        self._stride: float = 1
        self._latest: list[float] | None = None

    @property
    def points(self) -> list[list[float]]:
        """The evenly spaced points, and the latest point even if it is close to the one before."""
        if self._latest is None or self._latest[0] == self.thinned[-1][0]:
            return list(self.thinned)
        return [*self.thinned, self._latest]

    def add(self, documents: int, values: Sequence[float]) -> None:
        """Add a point.

        Points at more documents belong to a history that was given up, and are removed; a point at
        as many documents is replaced.
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
        """Restore what `state_dict` returned."""
        self.thinned = [[int(at), *map(float, values)] for at, *values in state["curve"]]
        self._stride = int(state["stride"])
        self._latest = self.thinned[-1] if self.thinned else None
