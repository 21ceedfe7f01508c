"""A curve over the stream, of as many points as a plot can show."""

from collections.abc import Sequence
from typing import Any

POINTS = 400


class Curve:
    """Points at growing numbers of documents, thinned out evenly; the latest is always there."""

    def __init__(self) -> None:
        self.points: list[list[float]] = []
        """Each begins with its number of documents."""
        self._stride = 1.0

    def add(self, documents: int, values: Sequence[float]) -> None:
        """Add a point; those at as many documents or more are of a history that was given up."""
        points = [point for point in self.points if point[0] < documents]
        if len(points) > 1 and points[-1][0] < points[-2][0] + self._stride:
            points.pop()  # it was there for being the latest
        points.append([documents, *values])
        if len(points) > POINTS:
            self._stride = 2 * (points[-1][0] - points[0][0]) / len(points)
            points = [*points[:-1:2], points[-1]]
        self.points = points

    def state_dict(self) -> dict[str, Any]:
        """Return the points."""
        return {"curve": self.points, "stride": self._stride}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.points = [[int(at), *map(float, values)] for at, *values in state["curve"]]
        self._stride = float(state["stride"])
