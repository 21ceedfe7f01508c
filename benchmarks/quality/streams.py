"""Columns of the benchmark: different streams of one corpus."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.corpus import NewsgroupsCorpus
from newsreel.events.document import Document
from producer.corpus import raw_newsgroups
from producer.scenarios import order

PARTS = ("headers", "footers", "quotes")

Arrange = Callable[[Sequence[Document], Random], list[Document]]


@dataclass(frozen=True)
class Stream:
    """A way to make a stream of the shuffled train split.

    Attributes
    ----------
    title
        Title in reports.
    arrange
        Function that orders or selects the documents.
    measure
        Field of a cell that ranks the rows.
    stripped
        Whether documents lose headers, footers and quotes, in train and test.
    """

    title: str
    arrange: Arrange
    measure: str = "heldout_accuracy"
    stripped: bool = False


def make(
    corpus: NewsgroupsCorpus, stream: Stream, seed: int, documents: int | None, heldout: int | None
) -> tuple[list[Document], list[Document]]:
    """Return the documents of the stream, and the held-out documents.

    Parameters
    ----------
    documents, heldout
        Maximum number of documents of each split; those of the test split are drawn at random.
    """
    train = order.shuffled(corpus.train, Random(seed))[:documents]
    test = list(corpus.test)
    if heldout is not None and heldout < len(test):
        test = Random(seed).sample(test, heldout)
    if stream.stripped:
        train = [raw_newsgroups.strip(document, PARTS) for document in train]
        test = [raw_newsgroups.strip(document, PARTS) for document in test]
    # The wire contract refuses empty texts; among held-out documents they count like any other.
    train = [document for document in train if document.text.strip()]
    return stream.arrange(train, Random(seed)), test


def as_shuffled(documents: Sequence[Document], _random: Random) -> list[Document]:
    """Keep the order of the documents."""
    return list(documents)


def by_label(documents: Sequence[Document], random: Random) -> list[Document]:
    """Sort documents by label; the order of labels is random."""
    ranks = _ranks(documents, random)
    return sorted(documents, key=lambda document: ranks[document.label])


def zipf(documents: Sequence[Document], random: Random) -> list[Document]:
    """Keep 1/r of the documents of the label of rank r, rounded, at least one, the first ones."""
    ranks = _ranks(documents, random)
    totals = dict.fromkeys(ranks, 0)
    for document in documents:
        totals[document.label] += 1
    quotas = {label: max(1, round(totals[label] / rank)) for label, rank in ranks.items()}
    selected = []
    for document in documents:
        if quotas[document.label]:
            quotas[document.label] -= 1
            selected.append(document)
    return selected


def _ranks(documents: Sequence[Document], random: Random) -> dict[str | None, int]:
    labels = sorted({document.label for document in documents}, key=str)
    random.shuffle(labels)
    return {label: rank for rank, label in enumerate(labels, 1)}


STREAMS: Mapping[str, Stream] = {
    "raw": Stream("shuffled", as_shuffled),
    "removed": Stream("shuffled, without headers, footers and quotes", as_shuffled, stripped=True),
    "sorted": Stream("sorted by label", by_label),
    "imbalanced": Stream("Zipf-imbalanced", zipf, measure="heldout_macro_f1"),
}
