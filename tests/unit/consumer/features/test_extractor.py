"""Join and cache the features of extractors."""

from collections.abc import Sequence

import pytest
import torch

from consumer.features.extractor import CachedFeatures, Features, FeatureUnion, extract
from newsreel.events.document import Document


class CharacterCount:
    """Extract how often a character occurs in a text."""

    def __init__(self, name: str, character: str) -> None:
        self.name = name
        self.character = character
        self.asked: list[int] = []

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        found = [[c == self.character for c in document.text] for document in documents]
        return [{f"{self.name} read": torch.tensor(row)} for row in found]

    def extract_many(self, read: Sequence[Features]) -> list[Features]:
        self.asked.append(len(read))
        return [{self.name: row[f"{self.name} read"].sum().view(1)} for row in read]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_union(count: int) -> None:
    """Each document has the features of all extractors, each of which is called once."""
    extractors = [CharacterCount("as", "a"), CharacterCount("bs", "b")]
    documents = [Document(str(n), "a" * n + "b" * (9 - n)) for n in range(count)]
    features = extract(FeatureUnion(extractors), documents)
    found = [{name: tensor.item() for name, tensor in row.items()} for row in features]
    assert found == [{"as": n, "bs": 9 - n} for n in range(count)]
    assert [extractor.asked for extractor in extractors] == [[count], [count]]


def test_cached() -> None:
    """The features of a text are computed once, in whatever batches the text comes."""
    inner = CharacterCount("as", "a")
    cached = CachedFeatures(inner, capacity=1000)
    for texts in (["a", "b", "aa"], ["aa", "a"], ["aaa", "a", "aaa"]):
        features = extract(cached, [Document(str(n), text) for n, text in enumerate(texts)])
        assert [int(row["as"]) for row in features] == [text.count("a") for text in texts]
    assert inner.asked == [3, 1]


def test_cache_capacity() -> None:
    """Features that do not fit into the cache are computed each time."""
    inner = CharacterCount("as", "a")
    cached = CachedFeatures(inner, capacity=2 * 8)
    documents = [Document(str(n), "a" * n) for n in range(1, 4)]
    for _ in range(2):
        assert [int(row["as"]) for row in extract(cached, documents)] == [1, 2, 3]
    assert inner.asked == [3, 1]
