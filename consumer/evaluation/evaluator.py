"""Prequential measures: each document is a test before it is a lesson (Gama et al. 2013)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumer.evaluation.scores import ConfusionCounts, Outcome, Scores, SlidingScores
from newsreel.events.document import Document

WINDOW = 1000
"""Labelled documents in the sliding window."""

FADING_FACTOR = 0.998
"""Weight a document loses with each one after it: half is gone after 346."""

CONFUSED = 20
"""Pairs of labels that are told of as confused."""

LEAST_PROBABILITY = 1e-6
"""What a label that a learner can't know yet is charged with in a log-loss."""


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """A label and how probable it is; None while no label is known.

    ``truth`` is the probability given to the document's own label.
    """

    label: str | None
    probability: float
    truth: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model said of a document before it learned from it.

    ``experts`` are what the parts of a blend said by themselves, ``top`` the most probable labels
    with their probabilities, the first one first.
    """

    document: Document
    predicted: LabelProbability
    experts: Mapping[str, LabelProbability] = field(default_factory=dict)
    top: Sequence[tuple[str, float]] = ()

    @property
    def correct(self) -> bool:
        """Whether the most probable label is the document's own."""
        return self.predicted.label is not None and self.predicted.label == self.document.label


@dataclass(frozen=True, slots=True)
class Prequential:
    """Scores of the whole stream and of its recent past; ``experts`` are of the recent past.

    ``confused`` are the most frequent mistakes of the recent past: label, what it was taken for,
    and how often.
    """

    whole: Scores
    window: Scores
    fading_accuracy: float
    experts: Mapping[str, Scores]
    confused: Sequence[tuple[str, str, int]]


class Evaluator:
    """Scores predictions in the order of the stream; unlabelled documents can't be scored."""

    def __init__(self) -> None:
        self._whole = ConfusionCounts()
        self._window = SlidingScores(WINDOW)
        self._experts: dict[str, SlidingScores] = {}
        self._faded_hits = 0.0
        self._faded_documents = 0.0

    def update(self, predictions: Iterable[Prediction]) -> None:
        """Score predictions made before their documents were learned."""
        for prediction in predictions:
            truth = prediction.document.label
            if truth is None:
                continue
            outcome = _outcome(truth, prediction.predicted)
            self._whole.add(outcome)
            self._window.add(outcome)
            for name, opinion in prediction.experts.items():
                window = self._experts.setdefault(name, SlidingScores(WINDOW))
                window.add(_outcome(truth, opinion))
            self._faded_hits = FADING_FACTOR * self._faded_hits + prediction.correct
            self._faded_documents = FADING_FACTOR * self._faded_documents + 1

    def scores(self) -> Prequential:
        """Return the scores so far."""
        fading = self._faded_hits / self._faded_documents if self._faded_documents else math.nan
        experts = {name: window.scores() for name, window in self._experts.items()}
        confused = self._window.confused(CONFUSED)
        return Prequential(self._whole.scores(), self._window.scores(), fading, experts, confused)

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, the windows and the faded sums."""
        return {
            "whole": self._whole.state_dict(),
            "window": self._window.state_dict(),
            "experts": {name: window.state_dict() for name, window in self._experts.items()},
            "faded_hits": self._faded_hits,
            "faded_documents": self._faded_documents,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._whole.load_state_dict(state["whole"])
        self._window.load_state_dict(state["window"])
        self._experts = {name: SlidingScores(WINDOW) for name in state["experts"]}
        for name, window in self._experts.items():
            window.load_state_dict(state["experts"][name])
        self._faded_hits = state["faded_hits"]
        self._faded_documents = state["faded_documents"]


def _outcome(truth: str, opinion: LabelProbability) -> Outcome:
    loss = -math.log(max(opinion.truth, LEAST_PROBABILITY))
    return Outcome(truth, opinion.label, loss, opinion.probability)
