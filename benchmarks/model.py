"""Protocols of a row: a model learns a stream, a reference is fitted to all documents at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from consumer.evaluation.evaluator import LabelProbability, Prediction
from newsreel.events.document import Document


@dataclass(frozen=True, slots=True)
class Size:
    """Number of learned parameters, and bytes of a checkpoint; None where unknown."""

    parameters: int | None
    checkpoint_bytes: int | None


class Evaluable(Protocol):
    """A model that can be evaluated."""

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict documents; `prediction` and `label_only` build the items."""
        ...

    def size(self) -> Size:
        """Return the current size of the model."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return the settings of the model for the report, as JSON values."""
        ...


class Model(Evaluable, Protocol):
    """Learns a stream: each document is predicted once, then learned once."""

    @property
    def batch_size(self) -> int:
        """Number of documents that are predicted together, then learned together."""
        ...

    def learn_many(self, documents: Sequence[Document]) -> None:
        """Learn the documents predicted last, in their order."""
        ...


class Reference(Evaluable, Protocol):
    """Learns the whole stream offline before it predicts: an upper reference for online rows."""

    def fit(self, documents: Sequence[Document]) -> None:
        """Learn all documents, in any number of passes."""
        ...


def prediction(document: Document, probabilities: Mapping[str, float]) -> Prediction:
    """Build a prediction from the probabilities of the labels known so far; they may be empty."""
    label = max(probabilities, key=probabilities.__getitem__, default=None)
    probability = 0.0 if label is None else probabilities[label]
    truth = 0.0 if document.label is None else probabilities.get(document.label, 0.0)
    return Prediction(document, LabelProbability(label, probability, truth))


def label_only(document: Document, label: str | None) -> Prediction:
    """Build a prediction from a label without probabilities; its log-loss is unknown."""
    return Prediction(document, LabelProbability(label, math.nan, math.nan))
