"""Detection of a shift of the inputs, without labels."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from consumer.features.extractor import Features

REFERENCE = 1000
"""Number of documents in the reference window, which begins at the last change."""

RECENT = 200
"""Number of documents in the window of the latest documents."""

DIMENSIONS = 64

SEED = 0

THRESHOLD = 2.5
"""Distance above which a shift is reported (docs/drift.md)."""


class InputShift:
    """Detects a shift of the mean of recent documents from the mean of a reference window.

    The distance is the squared difference of the means, divided by its expected value for two
    windows of one distribution. Without a shift, the mean distance is therefore 1. A document is
    represented by a random projection of its pooled embedding to `DIMENSIONS` dimensions; without
    an embedding, by hashed counts of its n-grams or tokens.
    """

    def __init__(self) -> None:
        self._projection: Tensor | None = None
        self._reference: list[Tensor] = []
        self._recent: deque[Tensor] = deque(maxlen=RECENT)
        self._mean = torch.zeros(DIMENSIONS, dtype=torch.float64)
        self._variance = 0.0
        self.distance = 1.0
        """Distance after the latest document; 1 until both windows are full."""

    def update(self, features: Features) -> float | None:
        """Add a document; return the distance if the distance reveals a shift, otherwise None."""
        vector = self._represent(features)
        if not vector.isfinite().all():  # the learner skips such documents, too
            return None
        if len(self._reference) < REFERENCE:
            self._reference.append(vector)
            if len(self._reference) == REFERENCE:
                self._measure_reference()
            return None
        self._recent.append(vector)
        if len(self._recent) < RECENT:
            return None
        difference = torch.stack(list(self._recent)).mean(0) - self._mean
        expected = self._variance * (1 / REFERENCE + 1 / RECENT)
        self.distance = float(difference @ difference) / max(expected, 1e-12)
        if self.distance <= THRESHOLD:
            return None
        self._reference = list(self._recent)
        self._recent.clear()
        return self.distance

    def _measure_reference(self) -> None:
        vectors = torch.stack(self._reference)
        self._mean = vectors.mean(0)
        self._variance = float(vectors.var(0).sum())

    def _represent(self, features: Features) -> Tensor:
        if "pooled" in features:
            pooled = features["pooled"].flatten().double()
            if self._projection is None:
                random = torch.Generator().manual_seed(SEED)
                size = (len(pooled), DIMENSIONS)
                self._projection = torch.randn(size, generator=random, dtype=torch.float64)
            projected: Tensor = pooled @ self._projection
            return projected.div(len(pooled) ** 0.5)
        integers = (
            feature.flatten().long()
            for feature in features.values()
            if not feature.is_floating_point()
        )
        numbers = torch.cat([torch.zeros(0, dtype=torch.long), *integers])
        hashes = numbers * 2_654_435_761 >> 7  # Knuth's multiplicative hash
        signs = 1 - 2 * (hashes >> 6 & 1).double()
        vector = torch.zeros(DIMENSIONS, dtype=torch.float64)
        vector.index_add_(0, hashes % DIMENSIONS, signs)
        return vector / max(float(vector.norm()), 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Return both windows and the distance."""
        return {
            "reference": _stacked(self._reference),
            "recent": _stacked(list(self._recent)),
            "distance": self.distance,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._reference = list(state["reference"].clone())
        self._recent = deque(state["recent"].clone(), maxlen=RECENT)
        self.distance = float(state["distance"])
        if len(self._reference) == REFERENCE:
            self._measure_reference()


def _stacked(vectors: Sequence[Tensor]) -> Tensor:
    return (
        torch.stack(list(vectors)) if vectors else torch.zeros(0, DIMENSIONS, dtype=torch.float64)
    )
