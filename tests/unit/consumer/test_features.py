"""Features of several extractors in one."""

from collections.abc import Sequence

import pytest
import torch

from consumer.features import Features, Together, extract
from events.document import Document


class Length:
    """Extracts how often a character is in a text."""

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
def test_together(count: int) -> None:
    """Each document has the features of all extractors, each of which is asked once."""
    extractors = [Length("as", "a"), Length("bs", "b")]
    documents = [Document(str(n), "a" * n + "b" * (9 - n)) for n in range(count)]
    features = extract(Together(extractors), documents)
    found = [{name: tensor.item() for name, tensor in row.items()} for row in features]
    assert found == [{"as": n, "bs": 9 - n} for n in range(count)]
    assert [extractor.asked for extractor in extractors] == [[count], [count]]
