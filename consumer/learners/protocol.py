"""What the loop needs of a learner, and no more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from consumer.evaluation import LEAST_PROBABILITY
from consumer.features import Features
from service.errors import UserError

Probabilities = NDArray[np.float32]
"""Shape (documents, labels learned so far)."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Probabilities of some documents' labels, before they are learned.

    ``experts`` are what the parts of a blend said by themselves, and ``shares`` how much each
    weighs in it; a learner that is no blend leaves both empty.
    """

    probabilities: Probabilities
    experts: Mapping[str, Probabilities] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def of(self, rows: Sequence[int]) -> "Forecast":
        """Return the forecast of some of the documents."""
        experts = {name: said[rows] for name, said in self.experts.items()}
        return Forecast(self.probabilities[rows], experts, self.shares)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Documents to learn from: their features and the numbers of their labels."""

    features: Sequence[Features]
    targets: Sequence[int]

    def __len__(self) -> int:
        return len(self.targets)


class DivergedError(UserError):
    """Learning has gone out of bounds."""


def log_loss(probabilities: Probabilities, targets: Sequence[int]) -> float:
    """Return the mean cross-entropy of some predictions, in nats."""
    right = [
        row[target] if target < len(row) else 0.0
        for row, target in zip(probabilities, targets, strict=True)
    ]
    return -float(np.log(np.maximum(right, LEAST_PROBABILITY)).mean())


class Learner(Protocol):
    """A classifier that learns from a stream; labels are numbers counted from 0."""

    def predict_many(self, features: Sequence[Features]) -> Forecast:
        """Predict documents with what is known now."""
        ...

    def learn_many(self, new: Lesson, replayed: Lesson, forecast: Forecast) -> float:
        """Learn new documents, mixed with replayed ones; returns the mean loss in nats.

        A number not seen before makes the output grow.

        Parameters
        ----------
        new
            Documents that are learned for the first time; not empty.
        replayed
            Documents from the replay buffer, with the features that `keep` left of them.
        forecast
            What `predict_many` said of the new ones.
        """
        ...

    def keep(self, features: Features) -> Features:
        """Return what a replay of a learned document needs of its features; may draw at random."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything learned: tensors and primitives only."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...
