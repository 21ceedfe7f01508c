"""Prequential evaluation: test on each document, then train on it (Gama et al. 2013)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumer.evaluation.scores import ConfusionCounts, Outcome, Scores, SlidingScores
from newsreel.events.document import Document

WINDOW = 1000
"""Number of labelled documents in the sliding window."""

FADING_FACTOR = 0.998
"""Factor of a document's weight for each later document; the weight halves every 346 documents."""

CONFUSED = 20
"""Maximum number of pairs of confused labels that are reported."""

LEAST_PROBABILITY = 1e-6
"""Lower limit of a probability in a log-loss; applies to labels that are new to the learner."""


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """The most probable label with its probability; None while the learner knows no label.

    ``truth`` is the predicted probability of the true label.
    """

    label: str | None
    probability: float
    truth: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """Prediction of a document, made before the learner trains on the document.

    ``experts`` are the predictions of the experts of a blend, by name. ``top`` are the most
    probable labels with their probabilities, in descending order.
    """

    document: Document
    predicted: LabelProbability
    experts: Mapping[str, LabelProbability] = field(default_factory=dict)
    top: Sequence[tuple[str, float]] = ()

    @property
    def correct(self) -> bool:
        """Whether the predicted label is the true label."""
        return self.predicted.label is not None and self.predicted.label == self.document.label


@dataclass(frozen=True, slots=True)
class Prequential:
    """Scores of the whole stream and of the sliding window.

    Attributes
    ----------
    whole
        Scores of the whole stream.
    window
        Scores of the sliding window.
    fading_accuracy
        Accuracy with exponentially decreasing weights of older documents.
    experts
        Scores of each expert of a blend over the sliding window.
    confused
        Most frequent errors in the sliding window: true label, predicted label, and count.
    """

    whole: Scores
    window: Scores
    fading_accuracy: float
    experts: Mapping[str, Scores]
    confused: Sequence[tuple[str, str, int]]


class Evaluator:
    """Scores predictions in the order of the stream; skips documents without a label."""

    def __init__(self) -> None:
        self._whole = ConfusionCounts()
        self._window = SlidingScores(WINDOW)
        self._experts: dict[str, SlidingScores] = {}
        self._faded_hits = 0.0
        self._faded_documents = 0.0

    def update(self, predictions: Iterable[Prediction]) -> None:
        """Score predictions that were made before training on their documents."""
        for prediction in predictions:
            truth = prediction.document.label
            if truth is None:
                continue
            outcome = _outcome(truth, prediction.predicted)
            self._whole.add(outcome)
            self._window.add(outcome)
            for name, predicted in prediction.experts.items():
                window = self._experts.setdefault(name, SlidingScores(WINDOW))
                window.add(_outcome(truth, predicted))
            self._faded_hits = FADING_FACTOR * self._faded_hits + prediction.correct
            self._faded_documents = FADING_FACTOR * self._faded_documents + 1

    def scores(self) -> Prequential:
        """Return the current scores."""
        fading = self._faded_hits / self._faded_documents if self._faded_documents else math.nan
        experts = {name: window.scores() for name, window in self._experts.items()}
        confused = self._window.confused(CONFUSED)
        return Prequential(self._whole.scores(), self._window.scores(), fading, experts, confused)

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, the windows and the weighted sums."""
        return {
            "whole": self._whole.state_dict(),
            "window": self._window.state_dict(),
            "experts": {name: window.state_dict() for name, window in self._experts.items()},
            "faded_hits": self._faded_hits,
            "faded_documents": self._faded_documents,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._whole.load_state_dict(state["whole"])
        self._window.load_state_dict(state["window"])
        self._experts = {name: SlidingScores(WINDOW) for name in state["experts"]}
        for name, window in self._experts.items():
            window.load_state_dict(state["experts"][name])
        self._faded_hits = state["faded_hits"]
        self._faded_documents = state["faded_documents"]


def _outcome(truth: str, predicted: LabelProbability) -> Outcome:
    loss = -math.log(max(predicted.truth, LEAST_PROBABILITY))
    return Outcome(truth, predicted.label, loss, predicted.probability)
