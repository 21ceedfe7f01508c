"""What a row of the benchmark is: it learns a stream, or it is fitted to everything at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from consumer.evaluation.evaluator import LabelProbability, Prediction
from newsreel.events.document import Document


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers that learning changes, and bytes that keep what was learned; None if not known."""

    parameters: int | None
    checkpoint_bytes: int | None


class Classifier(Protocol):
    """What can be examined."""

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict documents with what is known now; `prediction` makes one of probabilities."""
        ...

    def size(self) -> Size:
        """Return how large it is now."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return how it is set, for the report: primitives only."""
        ...


class Model(Classifier, Protocol):
    """Learns a stream: each document is predicted, then learned, and does not come again."""

    @property
    def batch_size(self) -> int:
        """Documents that are predicted together and then learned together."""
        ...

    def learn_many(self, documents: Sequence[Document]) -> None:
        """Learn documents that were just predicted, in their order."""
        ...


class Reference(Classifier, Protocol):
    """Sees the whole stream before it predicts: what is possible without its limits."""

    def fit(self, documents: Sequence[Document]) -> None:
        """Learn everything, in as many passes as it takes."""
        ...


def prediction(document: Document, probabilities: Mapping[str, float]) -> Prediction:
    """Make a prediction of the probabilities of the labels known so far, none at first."""
    label = max(probabilities, key=probabilities.__getitem__, default=None)
    probability = 0.0 if label is None else probabilities[label]
    truth = 0.0 if document.label is None else probabilities.get(document.label, 0.0)
    return Prediction(document, LabelProbability(label, probability, truth))


def verdict(document: Document, label: str) -> Prediction:
    """Make a prediction of a label alone; its log-loss is unknown."""
    return Prediction(document, LabelProbability(label, math.nan, math.nan))
