"""A small copy of 20 Newsgroups, as it was published."""

from pathlib import Path

import pytest
from helpers import documents

SIZES = {"train": 40, "test": 10}


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """Write posts of two groups, with headers and a quote."""
    folder = tmp_path / "20news-bydate"
    start = 0
    for split, size in SIZES.items():
        for document in documents(size, start):
            file = folder / split / str(document.label) / document.id
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"From: me\nSubject: x | y:1\n\n> quoted\n{document.text}\n")
        start += size
    return folder
