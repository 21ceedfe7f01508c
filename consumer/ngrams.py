"""Hashed word n-grams, and how rare each is in the stream."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from consumer.features import Features
from events.document import Document

HASH_BITS = 19
"""N-grams are hashed to 2**19 numbers (Weinberger et al. 2009, "Feature hashing")."""

Sparse = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Numbers of the n-grams in a text, each once, and their values; both of shape (n-grams,)."""


class Ngrams:
    """Extracts ``ngrams`` and ``frequencies``: words and pairs of words, and the log of 1 + count.

    int32 and float32, both of shape (n-grams,).

    Parameters
    ----------
    view
        What of a text is read, as a text.
    """

    def __init__(self, view: Callable[[str], str] = str) -> None:
        self._view = view
        self._vectorizer = HashingVectorizer(
            n_features=1 << HASH_BITS,
            ngram_range=(1, 2),
            token_pattern=r"(?u)\b\w+\b",  # noqa: S106 - no password
            alternate_sign=False,
            norm=None,
            dtype=np.float32,
        )

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        """Return the n-grams of each text."""
        counts = self._vectorizer.transform([self._view(document.text) for document in documents])
        numbers = torch.from_numpy(counts.indices)
        frequencies = torch.from_numpy(np.log1p(counts.data))
        return [
            {"ngrams": numbers[start:end].clone(), "frequencies": frequencies[start:end].clone()}
            for start, end in zip(counts.indptr[:-1], counts.indptr[1:], strict=True)
        ]

    def extract_many(self, read: Sequence[Features]) -> list[Features]:
        """Return the n-grams as they are."""
        return [{name: row[name] for name in ("ngrams", "frequencies")} for row in read]


class DocumentFrequencies:
    """In how many documents of the stream each n-gram was, so far."""

    def __init__(self) -> None:
        self._documents = 0
        self._containing = np.zeros(1 << HASH_BITS, dtype=np.int64)

    def add(self, features: Features) -> None:
        """Count a document in."""
        self._documents += 1
        self._containing[features["ngrams"].numpy()] += 1

    def weigh(self, features: Features) -> Sparse:
        """Weigh n-grams by how rare they are (tf-idf), scaled to Euclidean norm 1."""
        numbers = features["ngrams"].numpy()
        rarity = np.log((1 + self._documents) / (1 + self._containing[numbers])) + 1
        return numbers, unit(features["frequencies"].numpy() * rarity.astype(np.float32))

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {"documents": self._documents, "containing": torch.from_numpy(self._containing)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._documents = state["documents"]
        self._containing = state["containing"].numpy().copy()


class Table:
    """A number for each n-gram and label, 0 at first; labels get a column when they come up.

    Takes 3 MiB a label at most, 5 for a moment when it grows, and in a checkpoint 8 bytes for each
    number that is not 0.
    """

    def __init__(self) -> None:
        self._numbers = np.empty((1 << HASH_BITS, 0), dtype=np.float32)
        self.labels = 0

    def grow(self, labels: int) -> None:
        """Add columns, some in reserve: growing copies the whole table."""
        if labels > self._numbers.shape[1]:
            columns = max(labels, 8, self._numbers.shape[1] * 3 // 2)
            grown = np.zeros((len(self._numbers), columns), dtype=np.float32)
            grown[:, : self.labels] = self._numbers[:, : self.labels]
            self._numbers = grown
        self.labels = max(self.labels, labels)

    def clear(self, labels: Sequence[int]) -> None:
        """Set the numbers of some labels to 0; those that it does not have are 0 anyhow."""
        self.numbers[:, [label for label in labels if label < self.labels]] = 0

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The numbers themselves, shape (n-grams, labels)."""
        return self._numbers[:, : self.labels]

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers that are not 0, and where they are."""
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


def unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to Euclidean norm 1; a text without words stays as it is."""
    norm = float(np.sqrt(values @ values))
    return values / norm if norm else values


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn each row of scores into probabilities."""
    if not scores.size:
        return scores
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return shares
