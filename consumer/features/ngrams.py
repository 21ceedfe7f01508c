"""Hashed word n-grams of a text, and the logarithm of their counts."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import mmh3
import numpy as np
import torch

from consumer.features.extractor import Features
from newsreel.events.document import Document

HASH_BITS = 19
"""N-grams are hashed to 2**19 numbers (Weinberger et al. 2009, "Feature hashing")."""

_WORD = re.compile(r"\b\w+\b")


class Ngrams:
    """Extract ``ngrams`` and ``frequencies``: words and pairs of words, and the log of 1 + count.

    The features are int32 and float32, both of shape (n-grams,), in the order of the numbers. Words
    are lowercase runs of letters, digits and underscores; numbers are those of scikit-learn's
    ``HashingVectorizer``, without its second of imports.

    Parameters
    ----------
    prepare
        Function applied to each text before words are counted.
    """

    def __init__(self, prepare: Callable[[str], str] = str) -> None:
        self._prepare = prepare

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        """Return the n-grams of each document."""
        return [_count(self._prepare(document.text)) for document in documents]

    def extract_many(self, tokenized: Sequence[Features]) -> list[Features]:
        """Return the n-grams of each document unchanged."""
        return [{name: row[name] for name in ("ngrams", "frequencies")} for row in tokenized]


def _count(text: str) -> Features:
    numbers = [abs(mmh3.hash(ngram)) % (1 << HASH_BITS) for ngram in _ngrams(text.lower())]
    unique, counts = np.unique(np.array(numbers, dtype=np.int32), return_counts=True)
    frequencies = np.log1p(counts.astype(np.float32))
    return {"ngrams": torch.from_numpy(unique), "frequencies": torch.from_numpy(frequencies)}


def _ngrams(text: str) -> Iterator[str]:
    """Yield the words of a text, then each pair of neighbouring words."""
    words = _WORD.findall(text)
    yield from words
    for first, second in pairwise(words):
        yield f"{first} {second}"
