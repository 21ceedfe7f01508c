"""A ridge classifier on frozen features, solved anew with each document and never approximately."""

from collections.abc import Sequence
from typing import Any

import torch

from consumer.features.extractor import Features
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch, log_loss

SHARPNESS = 10.0
"""Scores are about 0 or 1; times this, their softmax is about as sure as it is right."""

FADED = 250.0
"""Documents that all those before count for, once labels mean something else."""

PRECISE = torch.float64
"""In single precision the inverse stops being positive definite after some 10^6 documents."""


class AnalyticRidge:
    """Regularized least squares on one-hot labels by recursion.

    Zhuang et al. (2022), "ACIL: analytic class-incremental learning"; McDonnell et al. (2023),
    "RanPAC"; on hidden states, as in Zhuang et al. (2024), "F-OAL". The solution does not depend
    on the order of the documents: nothing is forgotten, and replay would change nothing.

    Cost and memory are quadratic in the width of the features, whatever the stream's length.

    Parameters
    ----------
    width
        Of the feature ``pooled``.
    ridge
        Strength of the regularization.
    """

    def __init__(self, width: int, ridge: float) -> None:
        self._ridge = ridge
        size = width + 1  # the last feature is constant
        self._inverse = torch.eye(size, dtype=PRECISE) / ridge
        self._weights = torch.zeros(size, 0, dtype=PRECISE)
        self._documents = 0.0

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents with what is known now."""
        scores = _matrix(features) @ self._weights
        return Predictions((SHARPNESS * scores).softmax(1).float().numpy())

    def propose(
        self,
        new: TrainingBatch,
        replayed: TrainingBatch,  # noqa: ARG002
        predictions: Predictions,
    ) -> StagedUpdate:
        """Work out how to add new documents to the sums; the loss is of their predictions."""
        inputs, targets = _matrix(new.features), torch.tensor(new.targets)
        weights = self._grown(max(new.targets) + 1)
        scores = inputs @ weights
        wanted = torch.nn.functional.one_hot(targets, scores.shape[1]).to(PRECISE)
        # Woodbury: the inverse of a sum that grew by a few documents.
        step = self._inverse @ inputs.T
        small = torch.eye(len(inputs), dtype=PRECISE) + inputs @ step
        gain = torch.linalg.solve(small, step.T).T

        def apply() -> None:
            self._inverse.addmm_(gain, step.T, alpha=-1)
            self._weights = weights + gain @ (wanted - scores)
            self._documents += len(inputs)

        return StagedUpdate(log_loss(predictions.probabilities, new.targets), apply)

    def _grown(self, outputs: int) -> torch.Tensor:
        """Return the weights, with columns of zeros for outputs that are missing."""
        missing = max(0, outputs - self._weights.shape[1])
        return torch.nn.functional.pad(self._weights, (0, missing))

    def forget(self, targets: Sequence[int]) -> None:
        """Begin anew with some labels' weights, and let the documents seen so far count for less.

        They would stand against the labels' new documents, as they can't be told apart any more.
        """
        known = [target for target in targets if target < self._weights.shape[1]]
        self._weights[:, known] = 0
        if self._documents > 2 * FADED:
            self._fade(FADED / self._documents)

    def _fade(self, share: float) -> None:
        """Let everything learned count for a share of it, under the same regularization."""
        regularized = torch.linalg.inv(self._inverse)
        regularization = self._ridge * torch.eye(len(regularized), dtype=PRECISE)
        faded = share * (regularized - regularization) + regularization
        self._inverse = torch.linalg.inv((faded + faded.T) / 2)
        self._weights = self._inverse @ (share * (regularized @ self._weights))
        self._documents *= share

    def replay_features(self, features: Features) -> Features:  # noqa: ARG002
        """Return nothing: what is learned is never forgotten."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the weights and the inverse they come from."""
        return {
            "inverse": self._inverse,
            "weights": self._weights,
            "documents": self._documents,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._inverse = state["inverse"].clone()
        self._weights = state["weights"].clone()
        self._documents = float(state["documents"])


def _matrix(features: Sequence[Features]) -> torch.Tensor:
    rows = torch.cat([row["pooled"] for row in features]).to("cpu", PRECISE)
    return torch.cat([rows, torch.ones(len(rows), 1, dtype=PRECISE)], 1)
