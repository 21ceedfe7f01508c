"""Hashed word n-grams, and how rare each is in the stream."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.feature_extraction.text import HashingVectorizer

from consumer.features.extractor import Features
from newsreel.events.document import Document

HASH_BITS = 19
"""N-grams are hashed to 2**19 numbers (Weinberger et al. 2009, "Feature hashing")."""


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
