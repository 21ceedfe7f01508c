"""Sparse weights of n-grams: document frequencies, and a table of n-grams and labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from consumer.features.extractor import Features
from consumer.features.ngrams import HASH_BITS

Sparse = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Numbers of a text's n-grams, each once, and their values; both of shape (n-grams,)."""


class DocumentFrequencies:
    """Count in how many documents of the stream each n-gram has occurred."""

    def __init__(self) -> None:
        self._documents = 0
        self._containing = np.zeros(1 << HASH_BITS, dtype=np.int64)

    def add(self, features: Features) -> None:
        """Count the n-grams of a document."""
        self._documents += 1
        self._containing[features["ngrams"].numpy()] += 1

    def weigh(self, features: Features) -> Sparse:
        """Return the tf-idf weights of a document's n-grams, scaled to Euclidean norm 1."""
        numbers = features["ngrams"].numpy()
        rarity = np.log((1 + self._documents) / (1 + self._containing[numbers])) + 1
        return numbers, normalize(features["frequencies"].numpy() * rarity.astype(np.float32))

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {"documents": self._documents, "containing": torch.from_numpy(self._containing)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._documents = state["documents"]
        self._containing = state["containing"].numpy().copy()


class Table:
    """Hold a number for each n-gram and label, 0 at first; a new label adds a column.

    The table takes 3 MiB a label at most, 5 while it grows, and in a checkpoint 8 bytes for each
    number that is not 0.
    """

    def __init__(self) -> None:
        self._numbers = np.empty((1 << HASH_BITS, 0), dtype=np.float32)
        self.labels = 0

    def grow(self, labels: int) -> None:
        """Add columns up to a number of labels, with some in reserve: growing copies the table."""
        if labels > self._numbers.shape[1]:
            columns = max(labels, 8, self._numbers.shape[1] * 3 // 2)
            grown = np.zeros((len(self._numbers), columns), dtype=np.float32)
            grown[:, : self.labels] = self._numbers[:, : self.labels]
            self._numbers = grown
        self.labels = max(self.labels, labels)

    def clear(self, labels: Sequence[int]) -> None:
        """Set the columns of some labels to 0; labels without a column are ignored."""
        self.numbers[:, [label for label in labels if label < self.labels]] = 0

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The numbers, shape (n-grams, labels)."""
        return self._numbers[:, : self.labels]

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers that are not 0, and their places."""
        rows, columns = self.numbers.nonzero()
        places = rows * self.labels + columns
        fits = self.numbers.size <= np.iinfo(np.int32).max
        return {
            "labels": self.labels,
            "places": torch.from_numpy(places.astype(np.int32 if fits else np.int64)),
            "numbers": torch.from_numpy(self.numbers[rows, columns]),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.grow(state["labels"])
        rows, columns = np.divmod(state["places"].numpy(), max(self.labels, 1))
        self.numbers[rows, columns] = state["numbers"].numpy()


def normalize(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale values to Euclidean norm 1; zeros stay zeros."""
    norm = float(np.sqrt(values @ values))
    return values / norm if norm else values


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities that belong to each row of scores."""
    if not scores.size:
        return scores
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return shares
