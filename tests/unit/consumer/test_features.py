"""Features of several extractors in one."""

from collections.abc import Sequence

import pytest
import torch

from consumer.features import Features, Together
from events.document import Document


class Length:
    """Extracts how often a character is in a text."""

    def __init__(self, name: str, character: str) -> None:
        self.name = name
        self.character = character
        self.asked: list[int] = []

    def extract_many(self, documents: Sequence[Document]) -> list[Features]:
        self.asked.append(len(documents))
        counts = [document.text.count(self.character) for document in documents]
        return [{self.name: torch.tensor([count])} for count in counts]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_together(count: int) -> None:
    """Each document has the features of all extractors, each of which is asked once."""
    extractors = [Length("as", "a"), Length("bs", "b")]
    documents = [Document(str(n), "a" * n + "b" * (9 - n)) for n in range(count)]
    features = Together(extractors).extract_many(documents)
    found = [{name: tensor.item() for name, tensor in row.items()} for row in features]
    assert found == [{"as": n, "bs": 9 - n} for n in range(count)]
    assert [extractor.asked for extractor in extractors] == [[count], [count]]
