"""Complement naive Bayes on hashed n-grams: sums, so the order of the stream does not matter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from consumer.features.extractor import Features
from consumer.features.ngrams import HASH_BITS
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch, log_loss
from consumer.learners.sparse import DocumentFrequencies, Table, normalize, softmax

SMOOTHING = 0.4
"""Total of the pseudo-counts, spread evenly over all n-grams, as a share of all counts."""

SHARPNESS = 6.0
"""Factor of the scores at which probabilities are about as high as accuracy."""


class ComplementBayes:
    """Score a label by how little a document resembles all other labels.

    Rennie et al. (2003), "Tackling the poor assumptions of naive Bayes text classifiers", with
    sums of log frequencies scaled to norm 1. The rarity of n-grams (idf) is applied only to the
    document that is predicted: so the sums, and the classifier, are the same whatever the order of
    the documents. Smoothing grows with the counts: a fixed amount would be too much for a young
    stream.
    """

    def __init__(self) -> None:
        self._frequencies = DocumentFrequencies()
        self._sums = Table()
        self._totals = np.zeros(0, dtype=np.float64)

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents."""
        scores = np.zeros((len(features), self._sums.labels), dtype=np.float32)
        counted = max(float(self._totals.sum()), 1.0)
        total = counted - self._totals + SMOOTHING * counted
        smoothing = SMOOTHING * counted / (1 << HASH_BITS)
        for row, document in zip(scores, features, strict=True):
            numbers, values = self._frequencies.weigh(document)
            own = self._sums.numbers[numbers]
            others = np.maximum(own.sum(axis=1, keepdims=True) - own, 0) + smoothing
            row[:] = values.sum() * np.log(total) - values @ np.log(others)
        return Predictions(softmax(SHARPNESS * scores))

    def propose(
        self,
        new: TrainingBatch,
        replayed: TrainingBatch,  # noqa: ARG002
        predictions: Predictions,
    ) -> StagedUpdate:
        """Return an update that adds new documents to the sums; its loss is of the predictions."""
        loss = log_loss(predictions.probabilities, new.targets)
        return StagedUpdate(loss, lambda: self._add(new))

    def _add(self, new: TrainingBatch) -> None:
        labels = max(*new.targets, self._sums.labels - 1) + 1
        self._sums.grow(labels)
        self._totals = np.concatenate([self._totals, np.zeros(labels - len(self._totals))])
        for document, target in zip(new.features, new.targets, strict=True):
            self._frequencies.add(document)
            values = normalize(document["frequencies"].numpy())
            self._sums.numbers[document["ngrams"].numpy(), target] += values
            self._totals[target] += float(values.sum())

    def forget(self, targets: Sequence[int]) -> None:
        """Remove the counts of some labels from the sums."""
        self._sums.clear(targets)
        known = [target for target in targets if target < len(self._totals)]
        self._totals[known] = 0

    def replay_features(self, features: Features) -> Features:  # noqa: ARG002
        """Return nothing: sums forget nothing, so nothing needs to be replayed."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the sums and the document frequencies."""
        return {
            "frequencies": self._frequencies.state_dict(),
            "sums": self._sums.state_dict(),
            "totals": torch.from_numpy(self._totals),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._frequencies.load_state_dict(state["frequencies"])
        self._sums.load_state_dict(state["sums"])
        self._totals = state["totals"].numpy().copy()
