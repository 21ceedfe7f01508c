"""A mixture of learners, weighted by how well each has predicted what came next."""

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
    RejectedError,
    StagedUpdate,
    TrainingBatch,
    log_loss,
)

MEMORY = 0.999
"""What a document leaves of the curvature before it: weights follow the last 1,000 or so."""

CAUTION = 100.0
"""Curvature to begin with: the weights stay near equal for about so many documents."""

LARGEST_STEP = 0.1

DOUBT = 0.02
"""Share of an expert's opinion that is spread evenly: no certainty may silence the others."""


class Blend:
    """A product of experts: log-probabilities are added up with weights and normalized again.

    A weight is both how much an expert counts and its temperature. Weights are learned online, by
    Newton steps (Hazan et al. 2007, "Logarithmic regret algorithms") on the log-loss of the
    mixture over predictions that were made before the documents were learned. That loss is convex
    in the weights, and each expert by itself is one choice of them: the mixture can't stay worse
    than the best. Pools of this kind: Genest and Zidek (1986).

    Parameters
    ----------
    experts
        By name; all learn every document.
    """

    def __init__(self, experts: Mapping[str, Learner]) -> None:
        self._experts = experts
        self._weights: NDArray[np.float64]
        self._curvature: NDArray[np.float64]
        self._reset_weights()

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents with what is known now, with what each expert says by itself."""
        said = {
            name: expert.predict_many(features).probabilities
            for name, expert in self._experts.items()
        }
        scores = np.tensordot(self._weights, _logs(said), 1)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        mixed = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        shares = self._weights / max(self._weights.sum(), LEAST_PROBABILITY)
        return Predictions(mixed, said, dict(zip(self._experts, shares.tolist(), strict=True)))

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        """Ask every expert; once accepted, they are weighed by their forecasts, and all learn.

        The loss is the blend's.
        """
        proposals = []
        for name, expert in self._experts.items():
            try:
                said = Predictions(predictions.experts[name])
                proposals.append(expert.propose(new, replayed, said))
            except RejectedError as error:
                raise RejectedError(f"{name}: {error}") from error
        weights, curvature = self._weighed(predictions, new.targets)

        def apply() -> None:
            self._weights, self._curvature = weights, curvature
            for proposal in proposals:
                proposal.apply()

        gradients = {name: said for one in proposals for name, said in one.gradients.items()}
        return StagedUpdate(log_loss(predictions.probabilities, new.targets), apply, gradients)

    def _weighed(
        self, predictions: Predictions, targets: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights and the curvature that a predictions leads to."""
        labels = predictions.probabilities.shape[1]
        known = [row for row, target in enumerate(targets) if target < labels]
        if not known or labels < 2:  # noqa: PLR2004 - of one label, all say the same
            return self._weights, self._curvature
        logs = _logs(predictions.experts)[:, known]
        mixed = predictions.probabilities[known].astype(np.float64)
        expected = (logs * mixed).sum(axis=2)
        right = logs[:, range(len(known)), [targets[row] for row in known]]
        gradient = (expected - right).sum(axis=1)
        fresh = np.einsum("enk,nk,fnk->ef", logs, mixed, logs) - expected @ expected.T
        kept = MEMORY ** len(known)
        floor = (1 - kept) * CAUTION * np.eye(len(self._weights))
        curvature = kept * self._curvature + fresh + floor
        # The least of the quadratic model among weights that are not negative.
        root = np.linalg.cholesky(curvature).T
        best, _ = nnls(root, root @ (self._weights - np.linalg.solve(curvature, gradient)))
        step = best - self._weights
        step *= min(1.0, LARGEST_STEP / max(float(np.linalg.norm(step)), LEAST_PROBABILITY))
        return np.maximum(self._weights + step, 0.0), curvature

    def forget(self, targets: Sequence[int]) -> None:
        """Have all experts forget, and reset their weights: these were learned of other experts."""
        for expert in self._experts.values():
            expert.forget(targets)
        self._reset_weights()

    def _reset_weights(self) -> None:
        """Weigh the experts equally, as at the start."""
        count = len(self._experts)
        self._weights = np.full(count, 1.0 / count)
        self._curvature = CAUTION * np.eye(count)

    def replay_features(self, features: Features) -> Features:
        """Return what any of the experts needs."""
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


def _logs(said: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Log-probabilities, shape (experts, documents, labels).

    Each expert is doubted by `DOUBT`.
    """
    stated = np.stack(list(said.values())).astype(np.float64)
    logs: NDArray[np.float64] = np.log((1 - DOUBT) * stated + DOUBT / max(stated.shape[-1], 1))
    return logs
