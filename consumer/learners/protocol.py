"""What the loop needs of a learner, and no more."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from events.document import Document


class Learner(Protocol):
    """A classifier that learns from a stream; labels are numbers counted from 0."""

    def predict_proba_many(self, documents: Sequence[Document]) -> NDArray[np.float32]:
        """Return probabilities, shape (documents, labels learned so far)."""
        ...

    def learn_many(self, documents: Sequence[Document], targets: Sequence[int]) -> float:
        """Learn from documents and their label numbers; returns the mean loss in nats.

        A number not seen before makes the output grow.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Return what a checkpoint of this learner fits: its kind, model and shape."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything learned: tensors and primitives only."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...
