"""Counts of predictions, and the measures that follow from them."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

BINS = 10
"""Of confidence, of equal width."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Measures over some labelled documents; `nan` where there are none.

    ``log_loss`` is in nats; ``recall`` maps each label to its own, ``counts`` to its documents.
    ``calibration_error`` is how far confidence is from accuracy, the mean over bins of confidence
    (Guo et al. 2017, "On calibration of modern neural networks").
    """

    documents: int
    accuracy: float
    macro_f1: float
    kappa: float
    log_loss: float
    calibration_error: float
    recall: Mapping[str, float]
    counts: Mapping[str, int]


NOTHING = Scores(0, math.nan, math.nan, math.nan, math.nan, math.nan, {}, {})
"""Scores of no documents."""


class Outcome(NamedTuple):
    """A prediction and what was true; ``loss`` is in nats, ``confidence`` that in ``predicted``."""

    truth: str
    predicted: str | None
    loss: float
    confidence: float

    @property
    def bin(self) -> int:
        """Number of its bin of confidence; those of learners that have none are all in one."""
        return 0 if math.isnan(self.confidence) else min(int(BINS * self.confidence), BINS - 1)


class ConfusionCounts:
    """Counts from which the measures of any set of predictions follow."""

    def __init__(self) -> None:
        self.documents = 0
        self._loss = 0.0
        self._truths: Counter[str] = Counter()
        self._predictions: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()
        self._doubts = [0.0] * BINS

    def add(self, outcome: Outcome) -> None:
        """Count one prediction in."""
        self._count(outcome, 1)

    def remove(self, outcome: Outcome) -> None:
        """Count one prediction out."""
        self._count(outcome, -1)

    def _count(self, outcome: Outcome, by: int) -> None:
        truth, predicted, loss, confidence = outcome
        self.documents += by
        self._loss += by * loss
        self._truths[truth] += by
        self._doubts[outcome.bin] += by * (confidence - (predicted == truth))
        if predicted is not None:
            self._predictions[predicted] += by
        if predicted == truth:
            self._hits[truth] += by

    def scores(self) -> Scores:
        """Return every measure, in time proportional to the number of labels."""
        n = self.documents
        if n == 0:
            return NOTHING
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
            calibration_error=sum(map(abs, self._doubts)) / n,
            recall={x: hits[x] / truths[x] for x in labels if truths[x]},
            counts={x: truths[x] for x in labels if truths[x]},
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "documents": self.documents,
            "loss": self._loss,
            "truths": dict(self._truths),
            "predictions": dict(self._predictions),
            "hits": dict(self._hits),
            "doubts": list(self._doubts),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.documents = state["documents"]
        self._loss = state["loss"]
        self._truths = Counter(state["truths"])
        self._predictions = Counter(state["predictions"])
        self._hits = Counter(state["hits"])
        self._doubts = list(state["doubts"])


class SlidingScores:
    """Scores of the last documents.

    Parameters
    ----------
    size
        How many.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._tally = ConfusionCounts()
        self._recent: deque[Outcome] = deque()

    def add(self, outcome: Outcome) -> None:
        """Count one prediction in, and the oldest out."""
        self._tally.add(outcome)
        self._recent.append(outcome)
        if len(self._recent) > self._size:
            self._tally.remove(self._recent.popleft())

    def scores(self) -> Scores:
        """Return the scores of what is in the window."""
        return self._tally.scores()

    def confused(self, most: int) -> list[tuple[str, str, int]]:
        """Return the most frequent mistakes: label, what it was taken for, and how often."""
        pairs = Counter(
            (one.truth, one.predicted)
            for one in self._recent
            if one.predicted is not None and one.predicted != one.truth
        )
        return [(truth, predicted, count) for (truth, predicted), count in pairs.most_common(most)]

    def state_dict(self) -> dict[str, Any]:
        """Return what is in the window."""
        return {
            "tally": self._tally.state_dict(),
            "recent": [list(outcome) for outcome in self._recent],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._tally.load_state_dict(state["tally"])
        self._recent = deque(Outcome(*outcome) for outcome in state["recent"])
