"""20 Newsgroups in memory, with a fingerprint of the copy."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from newsreel.events.document import Document
from producer.corpus import newsgroups, raw_newsgroups

_HEADER = re.compile(r"[\w-]+: ")


@dataclass(frozen=True)
class NewsgroupsCorpus:
    """Both splits of a copy of 20 Newsgroups.

    Attributes
    ----------
    train, test
        Documents of the splits.
    copy
        Name of the copy in reports.
    fingerprint
        Digest that differs between copies.
    raw
        Whether posts have headers.
    """

    train: list[Document]
    test: list[Document]
    copy: str
    fingerprint: str
    raw: bool

    @property
    def labels(self) -> list[str]:
        """Labels of the train split in alphabetical order."""
        return sorted({document.label for document in self.train if document.label is not None})

    def summary(self) -> dict[str, Any]:
        """Return name, sizes and fingerprint for the results, as JSON values."""
        return {
            "copy": self.copy,
            "train": len(self.train),
            "test": len(self.test),
            "fingerprint": self.fingerprint,
        }


def load(path: Path | None) -> NewsgroupsCorpus:
    """Read the raw posts at a path, or else the copy that the producer finds.

    Raises
    ------
    UserError
        No copy exists, or the copy cannot be read.
    """
    read: Callable[[Collection[str], Collection[str]], Iterator[Document]]
    read = newsgroups.read if path is None else partial(raw_newsgroups.read, path)
    train: list[Document] = []
    test: list[Document] = []
    for document in read(("train", "test"), ()):
        (train if document.id.startswith("train/") else test).append(document)
    raw = sum(_HEADER.match(document.text) is not None for document in train) > len(train) / 2
    if path is not None:
        copy = path.name
    else:
        copy = "scikit-learn's copy" if raw else "PyPI's copy, letters only and without headers"
    return NewsgroupsCorpus(train, test, copy, _fingerprint((*train, *test)), raw)


def _fingerprint(documents: Iterable[Document]) -> str:
    """Return a digest of all documents that does not depend on their order."""
    digests = sorted(
        hashlib.sha256(f"{document.id}\0{document.text}".encode()).digest()
        for document in documents
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]
