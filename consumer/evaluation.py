"""Prequential measures: each document is a test before it is a lesson (Gama et al. 2013)."""

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from events.document import Document

WINDOW = 1000
"""Labelled documents in the sliding window."""
FADING_FACTOR = 0.998
"""Weight a document loses with each one after it: half is gone after 346."""
LEAST_PROBABILITY = 1e-6
"""What a label that the model can't know yet is charged with in the log-loss."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model said of a document before it learned from it.

    ``label`` is the most probable one, or None while the model knows no label; ``truth`` is the
    probability it gave to the document's own label.
    """

    document: Document
    label: str | None
    probability: float
    truth: float

    @property
    def correct(self) -> bool:
        """Whether the most probable label is the document's own."""
        return self.label is not None and self.label == self.document.label


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


@dataclass(frozen=True, slots=True)
class Prequential:
    """Scores of the whole stream and of its recent past."""

    whole: Scores
    window: Scores
    fading_accuracy: float


class Evaluator:
    """Scores predictions in the order of the stream; unlabelled documents can't be scored."""

    def __init__(self) -> None:
        self._whole = Tally()
        self._window = Tally()
        self._recent: deque[tuple[str, str | None, float]] = deque()
        self._faded_hits = 0.0
        self._faded_documents = 0.0

    def update(self, predictions: Iterable[Prediction]) -> None:
        """Score predictions made before their documents were learned."""
        for prediction in predictions:
            if prediction.document.label is None:
                continue
            loss = -math.log(max(prediction.truth, LEAST_PROBABILITY))
            outcome = (prediction.document.label, prediction.label, loss)
            self._whole.add(*outcome)
            self._window.add(*outcome)
            self._recent.append(outcome)
            if len(self._recent) > WINDOW:
                self._window.remove(*self._recent.popleft())
            self._faded_hits = FADING_FACTOR * self._faded_hits + prediction.correct
            self._faded_documents = FADING_FACTOR * self._faded_documents + 1

    def scores(self) -> Prequential:
        """Return the scores so far."""
        fading = self._faded_hits / self._faded_documents if self._faded_documents else math.nan
        return Prequential(self._whole.scores(), self._window.scores(), fading)

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, the window and the faded sums."""
        return {
            "whole": self._whole.state_dict(),
            "window": self._window.state_dict(),
            "recent": [list(outcome) for outcome in self._recent],
            "faded_hits": self._faded_hits,
            "faded_documents": self._faded_documents,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._whole.load_state_dict(state["whole"])
        self._window.load_state_dict(state["window"])
        self._recent = deque((truth, label, loss) for truth, label, loss in state["recent"])
        self._faded_hits = state["faded_hits"]
        self._faded_documents = state["faded_documents"]
