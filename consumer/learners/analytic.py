"""Ridge classifier on frozen features: its exact solution is updated with each document."""

from collections.abc import Sequence
from typing import Any

import torch

from consumer.features.extractor import Features
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch, log_loss

SHARPNESS = 10.0
"""Factor of the scores, which are about 0 or 1, at which probabilities are as high as accuracy."""

FADED_DOCUMENTS = 250.0
"""Number of documents that all earlier ones count for once labels have changed their meaning."""

PRECISION = torch.float64
"""In single precision the inverse stops being positive definite after some 10^6 documents."""


class AnalyticRidge:
    """Solve regularized least squares on one-hot labels recursively.

    Zhuang et al. (2022), "ACIL: analytic class-incremental learning"; McDonnell et al. (2023),
    "RanPAC"; on hidden states, as in Zhuang et al. (2024), "F-OAL". The solution does not depend
    on the order of the documents: nothing is forgotten, and replay would change nothing.

    Cost and memory are quadratic in the width of the features, whatever the stream's length.

    Parameters
    ----------
    width
        Width of the feature ``pooled``.
    ridge
        Strength of the regularization.
    """

    def __init__(self, width: int, ridge: float) -> None:
        self._ridge = ridge
        size = width + 1  # the last feature is constant
        self._inverse = torch.eye(size, dtype=PRECISION) / ridge
        self._weights = torch.zeros(size, 0, dtype=PRECISION)
        self._documents = 0.0

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents."""
        scores = _inputs(features) @ self._weights
        return Predictions((SHARPNESS * scores).softmax(1).float().numpy())

    def propose(
        self,
        new: TrainingBatch,
        replayed: TrainingBatch,  # noqa: ARG002
        predictions: Predictions,
    ) -> StagedUpdate:
        """Compute the solution with new documents; the update's loss is of the predictions."""
        inputs, targets = _inputs(new.features), torch.tensor(new.targets)
        weights = self._grown(max(new.targets) + 1)
        scores = inputs @ weights
        one_hot = torch.nn.functional.one_hot(targets, scores.shape[1]).to(PRECISION)
        # Woodbury: the inverse of a sum that grew by a few documents.
        step = self._inverse @ inputs.T
        small = torch.eye(len(inputs), dtype=PRECISION) + inputs @ step
        gain = torch.linalg.solve(small, step.T).T

        def apply() -> None:
            self._inverse.addmm_(gain, step.T, alpha=-1)
            self._weights = weights + gain @ (one_hot - scores)
            self._documents += len(inputs)

        return StagedUpdate(log_loss(predictions.probabilities, new.targets), apply)

    def _grown(self, outputs: int) -> torch.Tensor:
        """Return the weights with columns of zeros for missing outputs."""
        missing = max(0, outputs - self._weights.shape[1])
        return torch.nn.functional.pad(self._weights, (0, missing))

    def forget(self, targets: Sequence[int]) -> None:
        """Reset the weights of some labels, and let earlier documents count for less.

        Earlier documents would contradict the labels' new documents. As the sums do not separate
        documents, all of them fade.
        """
        known = [target for target in targets if target < self._weights.shape[1]]
        self._weights[:, known] = 0
        if self._documents > 2 * FADED_DOCUMENTS:
            self._fade(FADED_DOCUMENTS / self._documents)

    def _fade(self, share: float) -> None:
        """Multiply the sums by a share, under the same regularization."""
        regularized = torch.linalg.inv(self._inverse)
        regularization = self._ridge * torch.eye(len(regularized), dtype=PRECISION)
        faded = share * (regularized - regularization) + regularization
        self._inverse = torch.linalg.inv((faded + faded.T) / 2)
        self._weights = self._inverse @ (share * (regularized @ self._weights))
        self._documents *= share

    def replay_features(self, features: Features) -> Features:  # noqa: ARG002
        """Return nothing: nothing is forgotten, so nothing needs to be replayed."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the weights, the inverse and the number of documents."""
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


def _inputs(features: Sequence[Features]) -> torch.Tensor:
    """Return the pooled features and a constant one, shape (documents, width + 1)."""
    rows = torch.cat([row["pooled"] for row in features]).to("cpu", PRECISION)
    return torch.cat([rows, torch.ones(len(rows), 1, dtype=PRECISION)], 1)
