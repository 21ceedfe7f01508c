"""What the loop needs of a learner, and no more."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from consumer.evaluation.evaluator import LEAST_PROBABILITY
from consumer.features.extractor import Features
from newsreel.common.errors import UserError

LARGEST_LOSS = 50.0
"""Most nats that documents may cost on the mean of a learning step.

To guess among 1,000 labels costs 7, and the logit adjustment adds some 10: more than 50 is paid
only by a model that is wrong and has no doubt, which a step would not mend.
"""

Probabilities = NDArray[np.float32]
"""Shape (documents, labels learned so far)."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Probabilities of some documents' labels, before they are learned.

    ``experts`` are what the parts of a blend said by themselves, and ``shares`` how much each
    weighs in it; a learner that is no blend leaves both empty.
    """

    probabilities: Probabilities
    experts: Mapping[str, Probabilities] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def of(self, rows: Sequence[int]) -> "Predictions":
        """Return the predictions of some of the documents."""
        experts = {name: said[rows] for name, said in self.experts.items()}
        return Predictions(self.probabilities[rows], experts, self.shares)


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Documents to learn from: their features and the numbers of their labels."""

    features: Sequence[Features]
    targets: Sequence[int]

    def __len__(self) -> int:
        return len(self.targets)


class RejectedError(UserError):
    """A learning step must not be taken; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """What a step would do: the norm of its gradient before clipping, learning rates by part."""

    norm: float
    rates: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StagedUpdate:
    """A learning step that is worked out and not taken: nothing of the learner has changed.

    ``loss`` is the mean loss before it, in nats. ``apply`` takes the step: at once or never, as
    another proposal may take its place. ``gradients`` are those of the experts that have one.

    Raises
    ------
    RejectedError
        The loss is no number, or more than `LARGEST_LOSS`.
    """

    loss: float
    apply: Callable[[], None]
    gradients: Mapping[str, Gradient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.loss <= LARGEST_LOSS:  # as NaN is not
            raise RejectedError(
                f"a mean loss of {self.loss:.4g} nats; up to {LARGEST_LOSS:g} is learned from"
            )


def log_loss(probabilities: Probabilities, targets: Sequence[int]) -> float:
    """Return the mean cross-entropy of some predictions, in nats."""
    right = [
        row[target] if target < len(row) else 0.0
        for row, target in zip(probabilities, targets, strict=True)
    ]
    return -float(np.log(np.maximum(right, LEAST_PROBABILITY)).mean())


class Learner(Protocol):
    """A classifier that learns from a stream; labels are numbers counted from 0."""

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        """Predict documents with what is known now."""
        ...

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        """Work out how to learn new documents, mixed with replayed ones, and change nothing.

        Once accepted, a number not seen before makes the output grow.

        Parameters
        ----------
        new
            Documents that are learned for the first time; not empty.
        replayed
            Documents from the replay buffer, with the features that `replay_features` left of them.
        predictions
            What `predict_many` said of the new ones.

        Raises
        ------
        RejectedError
            They must not be learned.
        """
        ...

    def forget(self, targets: Sequence[int]) -> None:
        """Forget what was learned of some labels: they mean something else now.

        What was learned of all others stays as far as it can.
        """
        ...

    def replay_features(self, features: Features) -> Features:
        """Return what a replay of a learned document needs of its features; may draw at random."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything learned: tensors and primitives only."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...
