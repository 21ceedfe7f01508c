"""Softmax regression on hashed n-grams: the cheap baseline that a transformer has to beat."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from consumer.features.extractor import Features
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch, log_loss
from consumer.learners.sparse import DocumentFrequencies, Table, softmax

LEARNING_RATE = 1.0

BIAS_LEARNING_RATE = 0.1

FIRST_GRADIENT = 0.01
"""Squared gradient that every weight starts with: it bounds the first steps."""


class NgramSoftmax:
    """Fit a logistic regression by AdaGrad (Duchi et al. 2011), a document at a time.

    Inputs are tf-idf weights, with the document frequencies of the stream so far.
    """

    def __init__(self) -> None:
        self._frequencies = DocumentFrequencies()
        self._weights = Table()
        self._squares = Table()
        self._bias = np.zeros((2, 0), dtype=np.float32)

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents."""
        scores = np.zeros((len(features), self._weights.labels), dtype=np.float32)
        for row, document in zip(scores, features, strict=True):
            row[:] = self._scores(*self._frequencies.weigh(document))
        return Predictions(softmax(scores))

    def _scores(self, numbers: NDArray[Any], values: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = values @ self._weights.numbers[numbers] + self._bias[0]
        return scores

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        """Return an update with a step on each document; its loss is of the predictions."""
        loss = log_loss(predictions.probabilities, new.targets)
        return StagedUpdate(loss, lambda: self._learn(new, replayed))

    def _learn(self, new: TrainingBatch, replayed: TrainingBatch) -> None:
        labels = max(*new.targets, *replayed.targets, self._weights.labels - 1) + 1
        self._weights.grow(labels)
        self._squares.grow(labels)
        missing = labels - self._bias.shape[1]
        columns = np.array([[0.0], [FIRST_GRADIENT]], dtype=np.float32).repeat(missing, axis=1)
        self._bias = np.concatenate([self._bias, columns], axis=1)
        for document in new.features:
            self._frequencies.add(document)
        for batch in (new, replayed):
            for document, target in zip(batch.features, batch.targets, strict=True):
                self._step(document, target)

    def _step(self, document: Features, target: int) -> None:
        numbers, values = self._frequencies.weigh(document)
        error = softmax(self._scores(numbers, values))
        error[target] -= 1
        gradient = values[:, None] * error
        squares = self._squares.numbers[numbers] + gradient**2
        self._squares.numbers[numbers] = squares
        step = gradient / np.sqrt(squares + FIRST_GRADIENT)
        self._weights.numbers[numbers] -= LEARNING_RATE * step
        self._bias[1] += error**2
        self._bias[0] -= BIAS_LEARNING_RATE * error / np.sqrt(self._bias[1])

    def forget(self, targets: Sequence[int]) -> None:
        """Reset the weights of some labels."""
        self._weights.clear(targets)
        self._squares.clear(targets)
        known = [target for target in targets if target < self._bias.shape[1]]
        self._bias[:, known] = [[0.0], [FIRST_GRADIENT]]

    def replay_features(self, features: Features) -> Features:
        """Return the n-grams."""
        return {name: features[name] for name in ("ngrams", "frequencies")}

    def state_dict(self) -> dict[str, Any]:
        """Return weights, squared gradients and document frequencies."""
        return {
            "frequencies": self._frequencies.state_dict(),
            "weights": self._weights.state_dict(),
            "squares": self._squares.state_dict(),
            "bias": torch.from_numpy(self._bias),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._frequencies.load_state_dict(state["frequencies"])
        self._weights.load_state_dict(state["weights"])
        self._squares.load_state_dict(state["squares"])
        self._bias = state["bias"].numpy().copy()
