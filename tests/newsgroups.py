"""A small copy of 20 Newsgroups and options of the consumer, for tests of the benchmarks."""

from pathlib import Path

import pytest
from helpers import documents

from benchmarks import machine

SIZES = {"train": 40, "test": 10}


def write_posts(folder: Path) -> Path:
    """Write posts of two groups with headers and a quote; return their folder."""
    posts = folder / "20news-bydate"
    start = 0
    for split, size in SIZES.items():
        for document in documents(size, start):
            file = posts / split / str(document.label) / document.id
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"From: me\nSubject: x | y:1\n\n> quoted\n{document.text}\n")
        start += size
    return posts


def use_tiny_encoder(monkeypatch: pytest.MonkeyPatch, encoder: Path) -> None:
    """Make the tiny encoder the default model, run by torch, which compiles nothing."""
    use_consumer_options(monkeypatch, model=str(encoder), runtime="torch", precision="fp32")


def use_consumer_options(monkeypatch: pytest.MonkeyPatch, **options: str) -> None:
    """Set defaults of the consumer for this process and the programs that benchmarks start."""
    monkeypatch.setattr(machine, "FOREIGN", ("PRODUCER_",))
    for name, value in options.items():
        monkeypatch.setenv(f"CONSUMER_{name.upper()}", value)
