"""Streams of the quality benchmark: their documents, order and held-out documents."""

import itertools
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import corpus
from benchmarks.corpus import NewsgroupsCorpus
from benchmarks.quality import streams
from benchmarks.quality.streams import STREAMS
from newsreel.events.document import Document

seeds = st.integers(0, 1000)


def made(labels: int = 5, each: int = 12) -> NewsgroupsCorpus:
    def split(name: str) -> list[Document]:
        return [
            Document(f"{name}/{label}/{number}", f"text {number}", f"label {label}")
            for label in range(labels)
            for number in range(each)
        ]

    return NewsgroupsCorpus(split("train"), split("test"), "made up", "0", raw=True)


def make(
    name: str, seed: int, documents: int | None = None, heldout: int | None = None
) -> tuple[list[Document], list[Document]]:
    return streams.make(made(), STREAMS[name], seed, documents, heldout)


@given(seed=seeds)
def test_raw_is_the_whole_split(seed: int) -> None:
    """The raw stream has each document of the train split once."""
    train, test = make("raw", seed)
    assert Counter(train) == Counter(made().train)
    assert test == made().test


@given(seed=seeds)
def test_sorted_is_sorted(seed: int) -> None:
    """The documents of a label are contiguous; the seed determines the order of labels."""
    train, _ = make("sorted", seed)
    pieces = [label for label, _ in itertools.groupby(document.label for document in train)]
    assert len(pieces) == len(set(pieces)) == 5
    assert Counter(train) == Counter(made().train)


def test_order_of_labels_is_random() -> None:
    """Different seeds put different labels first."""
    assert len({make("sorted", seed)[0][0].label for seed in range(20)}) > 1


@given(seed=seeds)
def test_imbalanced_follows_zipf(seed: int) -> None:
    """The label of rank r keeps 1/r of its documents, in the order of the raw stream."""
    train, test = make("imbalanced", seed)
    counts = sorted(Counter(document.label for document in train).values(), reverse=True)
    assert counts == [round(12 / rank) for rank in range(1, 6)]
    raw, _ = make("raw", seed)
    assert train == [document for document in raw if document in train]
    assert test == made().test


def test_no_label_is_lost() -> None:
    """A label of few documents keeps at least one document."""
    documents = [Document(str(number), "text", str(number)) for number in range(9)]
    assert streams.zipf(documents, Random(0)) == documents


@pytest.mark.parametrize("name", STREAMS)
def test_seed_decides(name: str) -> None:
    """Equal seeds give equal streams, different seeds different ones."""
    assert make(name, 1, 40, 20) == make(name, 1, 40, 20)
    assert make(name, 1, 40, 20) != make(name, 2, 40, 20)


@pytest.mark.parametrize("name", STREAMS)
def test_train_and_test_are_never_mixed(name: str) -> None:
    """The stream has no held-out document, and the held-out set no document of the stream."""
    for limits in ((None, None), (30, 20)):
        train, test = make(name, 0, *limits)
        assert all(document.id.startswith("train/") for document in train)
        assert all(document.id.startswith("test/") for document in test)


def test_limits() -> None:
    """A limited stream is the start of the whole; the held-out set has the limited size."""
    train, test = make("raw", 0, 30, 20)
    assert train == make("raw", 0)[0][:30]
    assert len(set(test)) == 20


def test_removed(posts: Path) -> None:
    """Both splits lose headers and quotes; documents that are empty then are not streamed."""
    copy = corpus.load(posts)
    copy.train.append(Document("train/space/bare", "From: me\n\n> quoted\n", "space"))
    assert copy.raw
    train, test = streams.make(copy, STREAMS["removed"], 0, None, None)
    assert (len(train), len(test)) == (40, 10)
    assert not any("From" in document.text or ">" in document.text for document in train + test)


def test_copies_have_fingerprints(posts: Path) -> None:
    """Equal posts have equal fingerprints, different posts different ones."""
    first = corpus.load(posts)
    assert corpus.load(posts) == first
    next(posts.rglob("doc-3")).write_text("From: you\n\nother")
    assert corpus.load(posts).fingerprint != first.fingerprint
