"""Predict documents: extract features, ask the learner, name the labels."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consumer.evaluation.evaluator import LabelProbability, Prediction
from consumer.features.extractor import Extractor, Features
from consumer.labels import LabelSet
from consumer.learners.protocol import Learner, Predictions
from newsreel.events.document import Document

TOP_LABELS = 5
"""Number of most probable labels in a prediction."""


@dataclass(frozen=True, slots=True)
class PredictedBatch:
    """Documents in the order of the stream with their features and predictions, row by row.

    Parameters
    ----------
    tokens
        Number of tokens that the encoder read.
    seconds
        Seconds that tokenizing took.
    """

    documents: Sequence[Document]
    features: Sequence[Features]
    predictions: Predictions
    tokens: int
    seconds: float


def predict(
    extractor: Extractor,
    learner: Learner,
    documents: Sequence[Document],
    clock: Callable[[], float] = time.perf_counter,
) -> PredictedBatch:
    """Predict documents with the present state of the learner."""
    if not documents:
        return PredictedBatch([], [], Predictions(np.zeros((0, 0), dtype=np.float32)), 0, 0.0)
    started = clock()
    tokenized = extractor.tokenize_many(documents)
    seconds = clock() - started
    tokens = sum(len(row.get("tokens", ())) for row in tokenized)
    features = extractor.extract_many(tokenized)
    return PredictedBatch(documents, features, learner.predict_many(features), tokens, seconds)


def with_names(batch: PredictedBatch, labels: LabelSet) -> list[Prediction]:
    """Return predictions with the names of labels, which the learner knows by number only.

    Where a probability is not finite, no label is predicted.
    """
    names = labels.names

    def most_probable(row: NDArray[np.float32], truth: str | None) -> LabelProbability:
        known = names[: len(row)]
        if not known or not np.isfinite(row).all():
            return LabelProbability(None, 0.0, 0.0)
        best = int(row.argmax())
        of_truth = float(row[known.index(truth)]) if truth in known else 0.0
        return LabelProbability(known[best], float(row[best]), of_truth)

    def top(row: NDArray[np.float32]) -> list[tuple[str, float]]:
        if not np.isfinite(row).all():
            return []
        best = np.argsort(-row, kind="stable")[:TOP_LABELS]
        return [(names[number], float(row[number])) for number in best]

    predictions = batch.predictions
    return [
        Prediction(
            document,
            most_probable(predictions.probabilities[row], document.label),
            {
                name: most_probable(probabilities[row], document.label)
                for name, probabilities in predictions.experts.items()
            },
            top(predictions.probabilities[row]),
        )
        for row, document in enumerate(batch.documents)
    ]
