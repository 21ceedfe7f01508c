"""Blend of learners, weighted by how well each has predicted the stream so far."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from consumer.evaluation.evaluator import LEAST_PROBABILITY
from consumer.features.extractor import Features
from consumer.learners.protocol import (
    Learner,
    Predictions,
    Probabilities,
    RejectedError,
    StagedUpdate,
    TrainingBatch,
    log_loss,
)

CURVATURE_DECAY = 0.999
"""Share of the curvature that remains after a document: weights follow the last 1,000 or so."""

FIRST_CURVATURE = 100.0
"""Curvature at the start: the weights stay nearly equal for about so many documents."""

MAX_STEP = 0.1
"""Largest Euclidean norm of a step of the weights."""

UNIFORM_SHARE = 0.02
"""Share of an expert's probability that is spread evenly: no expert can veto a label."""


class Blend:
    """Multiply the experts' probabilities: a weighted sum of logarithms, normalized again.

    A weight is both an expert's influence and its temperature. Weights are learned online by Newton
    steps (Hazan et al. 2007, "Logarithmic regret algorithms") on the log-loss of the mixture, over
    predictions that were made before the documents were learned. That loss is convex in the
    weights, and each expert alone is one choice of weights: the mixture can't stay worse than the
    best expert. Pools of this kind: Genest and Zidek (1986).

    Parameters
    ----------
    experts
        Learners by name; all of them learn every document.
    """

    def __init__(self, experts: Mapping[str, Learner]) -> None:
        self._experts = experts
        self._weights: NDArray[np.float64]
        self._curvature: NDArray[np.float64]
        self._reset_weights()

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents; the result holds each expert's probabilities, too."""
        by_expert = {
            name: expert.predict_many(features).probabilities
            for name, expert in self._experts.items()
        }
        scores = np.tensordot(self._weights, _logs(by_expert), 1)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        mixed = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        shares = self._weights / max(self._weights.sum(), LEAST_PROBABILITY)
        return Predictions(mixed, by_expert, dict(zip(self._experts, shares.tolist(), strict=True)))

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        """Compute every expert's step and the weights that follow from the predictions.

        The update's loss is the blend's.
        """
        updates = []
        for name, expert in self._experts.items():
            try:
                own = Predictions(predictions.experts[name])
                updates.append(expert.propose(new, replayed, own))
            except RejectedError as error:
                raise RejectedError(f"{name}: {error}") from error
        weights, curvature = self._next_weights(predictions, new.targets)

        def apply() -> None:
            self._weights, self._curvature = weights, curvature
            for update in updates:
                update.apply()

        gradients = {name: one for update in updates for name, one in update.gradients.items()}
        return StagedUpdate(log_loss(predictions.probabilities, new.targets), apply, gradients)

    def _next_weights(
        self, predictions: Predictions, targets: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights and the curvature after scoring predictions."""
        labels = predictions.probabilities.shape[1]
        known = [row for row, target in enumerate(targets) if target < labels]
        if not known or labels < 2:  # noqa: PLR2004 - with one label all experts agree
            return self._weights, self._curvature
        logs = _logs(predictions.experts)[:, known]
        mixed = predictions.probabilities[known].astype(np.float64)
        expected = (logs * mixed).sum(axis=2)
        of_targets = logs[:, range(len(known)), [targets[row] for row in known]]
        gradient = (expected - of_targets).sum(axis=1)
        added = np.einsum("enk,nk,fnk->ef", logs, mixed, logs) - expected @ expected.T
        decay = CURVATURE_DECAY ** len(known)
        floor = (1 - decay) * FIRST_CURVATURE * np.eye(len(self._weights))
        curvature = decay * self._curvature + added + floor
        # The minimum of the quadratic model among weights that are not negative.
        root = np.linalg.cholesky(curvature).T
        best, _ = nnls(root, root @ (self._weights - np.linalg.solve(curvature, gradient)))
        step = best - self._weights
        step *= min(1.0, MAX_STEP / max(float(np.linalg.norm(step)), LEAST_PROBABILITY))
        return np.maximum(self._weights + step, 0.0), curvature

    def forget(self, targets: Sequence[int]) -> None:
        """Have all experts forget some labels, and reset the weights: past scores are outdated."""
        for expert in self._experts.values():
            expert.forget(targets)
        self._reset_weights()

    def _reset_weights(self) -> None:
        """Set equal weights, as at the start."""
        count = len(self._experts)
        self._weights = np.full(count, 1.0 / count)
        self._curvature = FIRST_CURVATURE * np.eye(count)

    def replay_features(self, features: Features) -> Features:
        """Return the features that any of the experts replays."""
        return {
            name: tensor
            for expert in self._experts.values()
            for name, tensor in expert.replay_features(features).items()
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the weights and every expert's state."""
        return {
            "weights": torch.from_numpy(self._weights),
            "curvature": torch.from_numpy(self._curvature),
            "experts": {name: expert.state_dict() for name, expert in self._experts.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._weights = state["weights"].numpy().copy()
        self._curvature = state["curvature"].numpy().copy()
        for name, expert in self._experts.items():
            expert.load_state_dict(state["experts"][name])


def _logs(by_expert: Mapping[str, Probabilities]) -> NDArray[np.float64]:
    """Return log-probabilities, shape (experts, documents, labels).

    `UNIFORM_SHARE` of each expert's probability is spread evenly.
    """
    stacked = np.stack(list(by_expert.values())).astype(np.float64)
    uniform = UNIFORM_SHARE / max(stacked.shape[-1], 1)
    logs: NDArray[np.float64] = np.log((1 - UNIFORM_SHARE) * stacked + uniform)
    return logs
