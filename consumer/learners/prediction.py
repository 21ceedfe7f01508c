"""Predicting documents: their features, what the learner says of them, and names to that."""

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
"""How many of the most probable labels a prediction tells."""


@dataclass(frozen=True, slots=True)
class PredictedBatch:
    """Documents in the order of the stream, as they were predicted: rows of the same order.

    ``tokens`` were read by an encoder; to read texts took ``seconds``.
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
    """Predict documents with what the learner knows now."""
    if not documents:
        return PredictedBatch([], [], Predictions(np.zeros((0, 0), dtype=np.float32)), 0, 0.0)
    started = clock()
    read = extractor.tokenize_many(documents)
    seconds = clock() - started
    tokens = sum(len(row.get("tokens", ())) for row in read)
    features = extractor.extract_many(read)
    return PredictedBatch(documents, features, learner.predict_many(features), tokens, seconds)


def with_names(arrived: PredictedBatch, labels: LabelSet) -> list[Prediction]:
    """Put names to predictions: the learner knows labels by number only.

    Probabilities that are no numbers are no opinion.
    """
    names = labels.names

    def opinion(row: NDArray[np.float32], truth: str | None) -> LabelProbability:
        known = names[: len(row)]
        if not known or not np.isfinite(row).all():
            return LabelProbability(None, 0.0, 0.0)
        best = int(row.argmax())
        right = float(row[known.index(truth)]) if truth in known else 0.0
        return LabelProbability(known[best], float(row[best]), right)

    def top(row: NDArray[np.float32]) -> list[tuple[str, float]]:
        if not np.isfinite(row).all():
            return []
        best = np.argsort(-row, kind="stable")[:TOP_LABELS]
        return [(names[number], float(row[number])) for number in best]

    predictions = arrived.predictions
    return [
        Prediction(
            document,
            opinion(predictions.probabilities[row], document.label),
            {
                name: opinion(said[row], document.label)
                for name, said in predictions.experts.items()
            },
            top(predictions.probabilities[row]),
        )
        for row, document in enumerate(arrived.documents)
    ]
