"""The interface of learners, and the types that it exchanges with the loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from consumer.evaluation.evaluator import LEAST_PROBABILITY
from consumer.features.extractor import Features
from newsreel.common.errors import UserError

MAX_LOSS = 50.0
"""Largest mean loss of a learning step, in nats; a larger one is rejected.

Guessing among 1,000 labels costs 7 nats, and the logit adjustment adds some 10. Only a model that
is certain and wrong costs more than 50, and one step would not correct such a model.
"""

Probabilities = NDArray[np.float32]
"""Probabilities of labels, shape (documents, labels learned so far)."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Probabilities of the labels of some documents, before these are learned.

    Parameters
    ----------
    probabilities
        Probabilities that the learner predicts.
    experts
        Probabilities that each expert of a blend predicts, by name; otherwise empty.
    shares
        Weight of each expert in a blend, by name; otherwise empty.
    """

    probabilities: Probabilities
    experts: Mapping[str, Probabilities] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def of(self, rows: Sequence[int]) -> "Predictions":
        """Return the predictions of some of the documents, by their rows."""
        experts = {name: probabilities[rows] for name, probabilities in self.experts.items()}
        return Predictions(self.probabilities[rows], experts, self.shares)


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Documents to learn from: the features of each, and the number of its label."""

    features: Sequence[Features]
    targets: Sequence[int]

    def __len__(self) -> int:
        return len(self.targets)


class RejectedError(UserError):
    """A learning step must not be taken; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """Describe a gradient step: its norm before clipping, and learning rates by part."""

    norm: float
    rates: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StagedUpdate:
    """Hold a learning step that is computed and not yet applied: the learner is unchanged.

    Parameters
    ----------
    loss
        Mean loss before the step, in nats.
    apply
        Function that applies the step. Call the function before the next update is proposed, or
        never.
    gradients
        Gradients of the experts that have one, by name.

    Raises
    ------
    RejectedError
        The loss is not a number, or exceeds `MAX_LOSS`.
    """

    loss: float
    apply: Callable[[], None]
    gradients: Mapping[str, Gradient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.loss <= MAX_LOSS:  # rejects NaN, too
            raise RejectedError(
                f"the mean loss is {self.loss:.4g} nats; up to {MAX_LOSS:g} is learned from"
            )


def log_loss(probabilities: Probabilities, targets: Sequence[int]) -> float:
    """Return the mean cross-entropy of predictions, in nats."""
    of_targets = [
        row[target] if target < len(row) else 0.0
        for row, target in zip(probabilities, targets, strict=True)
    ]
    return -float(np.log(np.maximum(of_targets, LEAST_PROBABILITY)).mean())


class Learner(Protocol):
    """Classify documents, and learn from a stream; labels are numbers counted from 0.

    Examples
    --------
    >>> from consumer.features.extractor import extract
    >>> from consumer.features.ngrams import Ngrams
    >>> from consumer.learners.bayes import ComplementBayes
    >>> from newsreel.events.document import Document
    >>> texts = ["a late goal", "an orbit of the moon"]
    >>> features = extract(Ngrams(), [Document(text, text) for text in texts])
    >>> learner = ComplementBayes()
    >>> update = learner.propose(
    ...     TrainingBatch(features, targets=[0, 1]),
    ...     replayed=TrainingBatch([], []),
    ...     predictions=learner.predict_many(features),
    ... )
    >>> update.apply()
    >>> learner.predict_many(features).probabilities.argmax(1)
    array([0, 1])
    """

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents."""
        ...

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        """Compute a learning step on new and replayed documents, without changing the learner.

        Applied, the step adds outputs for labels that were not seen before.

        Parameters
        ----------
        new
            Documents that are learned for the first time; not empty.
        replayed
            Documents from the replay buffer, with the features that `replay_features` returned.
        predictions
            What `predict_many` returned of the new documents.

        Raises
        ------
        RejectedError
            The documents must not be learned.
        """
        ...

    def forget(self, targets: Sequence[int]) -> None:
        """Forget what was learned of some labels, because these have changed their meaning.

        Knowledge of all other labels stays as far as possible.
        """
        ...

    def replay_features(self, features: Features) -> Features:
        """Return the features that a replay of a learned document needs; may draw at random."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything learned: tensors and primitives only."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...
