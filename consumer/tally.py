"""Counts of predictions, and the measures that follow from them."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scores:
    """Measures over some labelled documents; `nan` where there are none.

    ``log_loss`` is in nats; ``recall`` maps each label to its own.
    """

    documents: int
    accuracy: float
    macro_f1: float
    kappa: float
    log_loss: float
    recall: Mapping[str, float]


class Tally:
    """Counts from which the measures of any set of predictions follow."""

    def __init__(self) -> None:
        self.documents = 0
        self._loss = 0.0
        self._truths: Counter[str] = Counter()
        self._predictions: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()

    def add(self, truth: str, predicted: str | None, loss: float) -> None:
        """Count one prediction in."""
        self._count(truth, predicted, loss, 1)

    def remove(self, truth: str, predicted: str | None, loss: float) -> None:
        """Count one prediction out."""
        self._count(truth, predicted, loss, -1)

    def _count(self, truth: str, predicted: str | None, loss: float, by: int) -> None:
        self.documents += by
        self._loss += by * loss
        self._truths[truth] += by
        if predicted is not None:
            self._predictions[predicted] += by
        if predicted == truth:
            self._hits[truth] += by

    def scores(self) -> Scores:
        """Return every measure, in time proportional to the number of labels."""
        n = self.documents
        if n == 0:
            return Scores(0, math.nan, math.nan, math.nan, math.nan, {})
        hits, truths, predictions = self._hits, self._truths, self._predictions
        labels = [label for label in truths | predictions if truths[label] or predictions[label]]
        accuracy = hits.total() / n
        by_chance = sum(truths[label] * predictions[label] for label in labels) / n**2
        return Scores(
            documents=n,
            accuracy=accuracy,
            macro_f1=sum(2 * hits[x] / (truths[x] + predictions[x]) for x in labels) / len(labels),
            kappa=(accuracy - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan,
            log_loss=self._loss / n,
            recall={x: hits[x] / truths[x] for x in labels if truths[x]},
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "documents": self.documents,
            "loss": self._loss,
            "truths": dict(self._truths),
            "predictions": dict(self._predictions),
            "hits": dict(self._hits),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.documents = state["documents"]
        self._loss = state["loss"]
        self._truths = Counter(state["truths"])
        self._predictions = Counter(state["predictions"])
        self._hits = Counter(state["hits"])


class Window:
    """Scores of the last documents.

    Parameters
    ----------
    size
        How many.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._tally = Tally()
        self._recent: deque[tuple[str, str | None, float]] = deque()

    def add(self, truth: str, predicted: str | None, loss: float) -> None:
        """Count one prediction in, and the oldest out."""
        self._tally.add(truth, predicted, loss)
        self._recent.append((truth, predicted, loss))
        if len(self._recent) > self._size:
            self._tally.remove(*self._recent.popleft())

    def scores(self) -> Scores:
        """Return the scores of what is in the window."""
        return self._tally.scores()

    def state_dict(self) -> dict[str, Any]:
        """Return what is in the window."""
        return {
            "tally": self._tally.state_dict(),
            "recent": [list(outcome) for outcome in self._recent],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._tally.load_state_dict(state["tally"])
        self._recent = deque((truth, label, loss) for truth, label, loss in state["recent"])
