"""Whether texts are of another kind than they were: no label is needed to see that."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from consumer.features.extractor import Features

REFERENCE = 1000
"""Documents that the others are compared with: those after the last change."""

WINDOW = 200
"""The last documents, which are compared."""

DIMENSIONS = 64

SEED = 0

THRESHOLD = 2.5
"""Distance that is none of chance: see docs/drift.md."""


class InputShift:
    """Distance of the mean of recent documents from that of a reference window.

    Squared, and divided by what chance would make of it: where both are drawn from one
    distribution, its mean is 1. Documents are seen as `DIMENSIONS` random projections of their
    pooled embeddings; where there are none, of their n-grams or tokens.
    """

    def __init__(self) -> None:
        self._projection: Tensor | None = None
        self._reference: list[Tensor] = []
        self._recent: deque[Tensor] = deque(maxlen=WINDOW)
        self._mean = torch.zeros(DIMENSIONS, dtype=torch.float64)
        self._spread = 0.0
        self.distance = 1.0
        """As of the last document; 1 is what chance makes."""

    def update(self, features: Features) -> float | None:
        """Take in a document; returns the distance when it says that the inputs have changed."""
        vector = self._vector(features)
        if not vector.isfinite().all():  # such a document is not learned from, either
            return None
        if len(self._reference) < REFERENCE:
            self._reference.append(vector)
            if len(self._reference) == REFERENCE:
                self._measure_reference()
            return None
        self._recent.append(vector)
        if len(self._recent) < WINDOW:
            return None
        apart = torch.stack(list(self._recent)).mean(0) - self._mean
        chance = self._spread * (1 / REFERENCE + 1 / WINDOW)
        self.distance = float(apart @ apart) / max(chance, 1e-12)
        if self.distance <= THRESHOLD:
            return None
        self._reference = list(self._recent)
        self._recent.clear()
        return self.distance

    def _measure_reference(self) -> None:
        vectors = torch.stack(self._reference)
        self._mean = vectors.mean(0)
        self._spread = float(vectors.var(0).sum())

    def _vector(self, features: Features) -> Tensor:
        if "pooled" in features:
            pooled = features["pooled"].flatten().double()
            if self._projection is None:
                random = torch.Generator().manual_seed(SEED)
                size = (len(pooled), DIMENSIONS)
                self._projection = torch.randn(size, generator=random, dtype=torch.float64)
            projected: Tensor = pooled @ self._projection
            return projected.div(len(pooled) ** 0.5)
        whole = (
            part.flatten().long() for part in features.values() if not part.is_floating_point()
        )
        numbers = torch.cat([torch.zeros(0, dtype=torch.long), *whole])
        places = numbers * 2_654_435_761 >> 7  # a hash, after Knuth
        signs = 1 - 2 * (places >> 6 & 1).double()
        vector = torch.zeros(DIMENSIONS, dtype=torch.float64)
        vector.index_add_(0, places % DIMENSIONS, signs)
        return vector / max(float(vector.norm()), 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Return both windows."""
        return {
            "reference": _stacked(self._reference),
            "recent": _stacked(list(self._recent)),
            "distance": self.distance,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._reference = list(state["reference"].clone())
        self._recent = deque(state["recent"].clone(), maxlen=WINDOW)
        self.distance = float(state["distance"])
        if len(self._reference) == REFERENCE:
            self._measure_reference()


def _stacked(vectors: Sequence[Tensor]) -> Tensor:
    return (
        torch.stack(list(vectors)) if vectors else torch.zeros(0, DIMENSIONS, dtype=torch.float64)
    )
