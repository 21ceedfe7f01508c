"""Confusion counts, and the scores computed from them."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

BINS = 10
"""Number of bins of confidence, of equal width."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a set of labelled documents; `nan` without documents.

    Attributes
    ----------
    documents
        Number of documents.
    accuracy, macro_f1
        Accuracy, and F1 averaged over labels; from 0 to 1.
    kappa
        Cohen's kappa; `nan` with a single label.
    log_loss
        Mean log-loss, in nats.
    calibration_error
        Expected calibration error: difference of confidence and accuracy, averaged over bins of
        confidence (Guo et al. 2017, "On calibration of modern neural networks").
    recall
        Recall of each label.
    counts
        Number of documents of each label.
    """

    documents: int
    accuracy: float
    macro_f1: float
    kappa: float
    log_loss: float
    calibration_error: float
    recall: Mapping[str, float]
    counts: Mapping[str, int]


NO_SCORES = Scores(0, math.nan, math.nan, math.nan, math.nan, math.nan, {}, {})
"""Scores of an empty set of documents."""


class Outcome(NamedTuple):
    """A prediction with the true label.

    ``loss`` is the log-loss in nats, ``confidence`` the probability of ``predicted``.
    """

    truth: str
    predicted: str | None
    loss: float
    confidence: float

    @property
    def bin(self) -> int:
        """Index of the bin of confidence; 0 for a confidence of `nan` (no probabilities)."""
        return 0 if math.isnan(self.confidence) else min(int(BINS * self.confidence), BINS - 1)


class ConfusionCounts:
    """Counts of true and predicted labels, from which the scores are computed."""

    def __init__(self) -> None:
        self.documents = 0
        self._loss = 0.0
        self._truths: Counter[str] = Counter()
        self._predictions: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()
        self._calibration_sums = [0.0] * BINS

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a prediction."""
        self._count(outcome, 1)

    def remove(self, outcome: Outcome) -> None:
        """Remove the outcome of a prediction."""
        self._count(outcome, -1)

    def _count(self, outcome: Outcome, sign: int) -> None:
        truth, predicted, loss, confidence = outcome
        self.documents += sign
        self._loss += sign * loss
        self._truths[truth] += sign
        self._calibration_sums[outcome.bin] += sign * (confidence - (predicted == truth))
        if predicted is not None:
            self._predictions[predicted] += sign
        if predicted == truth:
            self._hits[truth] += sign

    def scores(self) -> Scores:
        """Compute the scores, in time linear in the number of labels."""
        n = self.documents
        if n == 0:
            return NO_SCORES
        hits, truths, predictions = self._hits, self._truths, self._predictions
        labels = [label for label in truths | predictions if truths[label] or predictions[label]]
        accuracy = hits.total() / n
        chance = sum(truths[label] * predictions[label] for label in labels) / n**2
        return Scores(
            documents=n,
            accuracy=accuracy,
            macro_f1=sum(2 * hits[x] / (truths[x] + predictions[x]) for x in labels) / len(labels),
            kappa=(accuracy - chance) / (1 - chance) if chance < 1 else math.nan,
            log_loss=self._loss / n,
            calibration_error=sum(map(abs, self._calibration_sums)) / n,
            recall={x: hits[x] / truths[x] for x in labels if truths[x]},
            counts={x: truths[x] for x in labels if truths[x]},
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and sums."""
        return {
            "documents": self.documents,
            "loss": self._loss,
            "truths": dict(self._truths),
            "predictions": dict(self._predictions),
            "hits": dict(self._hits),
            "doubts": list(self._calibration_sums),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.documents = state["documents"]
        self._loss = state["loss"]
        self._truths = Counter(state["truths"])
        self._predictions = Counter(state["predictions"])
        self._hits = Counter(state["hits"])
        self._calibration_sums = list(state["doubts"])


class SlidingScores:
    """Scores of the latest documents.

    Parameters
    ----------
    size
        Number of documents in the window.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._counts = ConfusionCounts()
        self._recent: deque[Outcome] = deque()

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a prediction; remove the oldest outcome from a full window."""
        self._counts.add(outcome)
        self._recent.append(outcome)
        if len(self._recent) > self._size:
            self._counts.remove(self._recent.popleft())

    def scores(self) -> Scores:
        """Return the scores of the window."""
        return self._counts.scores()

    def confused(self, limit: int) -> list[tuple[str, str, int]]:
        """Return the most frequent pairs of a true and a wrong predicted label, with counts."""
        pairs = Counter(
            (outcome.truth, outcome.predicted)
            for outcome in self._recent
            if outcome.predicted is not None and outcome.predicted != outcome.truth
        )
        return [(truth, predicted, count) for (truth, predicted), count in pairs.most_common(limit)]

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and outcomes of the window."""
        return {
            "tally": self._counts.state_dict(),
            "recent": [list(outcome) for outcome in self._recent],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._counts.load_state_dict(state["tally"])
        self._recent = deque(Outcome(*outcome) for outcome in state["recent"])
