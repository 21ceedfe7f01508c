"""What learners read of a document: computed once, however often it is learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from events.document import Document

Features = Mapping[str, Tensor]
"""Tensors of one document by name; only their first dimension differs between documents."""


@dataclass(frozen=True, slots=True)
class Example:
    """A document and what is known of it beside its text."""

    document: Document
    features: Features


class Extractor(Protocol):
    """Computes features that do not change while the model learns."""

    def extract_many(self, documents: Sequence[Document]) -> list[Features]:
        """Return the features of each document."""
        ...


class Together:
    """Features of several extractors in one.

    Parameters
    ----------
    extractors
        No two of them give a feature of the same name.
    """

    def __init__(self, extractors: Sequence[Extractor]) -> None:
        self._extractors = extractors

    def extract_many(self, documents: Sequence[Document]) -> list[Features]:
        """Return the features of each document."""
        columns = [extractor.extract_many(documents) for extractor in self._extractors]
        return [
            {name: tensor for part in row for name, tensor in part.items()}
            for row in zip(*columns, strict=True)
        ]
