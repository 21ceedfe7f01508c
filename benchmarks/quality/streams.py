"""The columns of the benchmark: one corpus as different streams."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.corpus import Corpus
from newsreel.events.document import Document
from producer.corpus import raw_newsgroups
from producer.scenarios import order

PARTS = ("headers", "footers", "quotes")

Arrange = Callable[[Sequence[Document], Random], list[Document]]


@dataclass(frozen=True)
class Stream:
    """How the shuffled train split becomes a stream.

    ``measure`` is the figure that counts in the end; of ``stripped`` streams, train and test lose
    headers, footers and quotes.
    """

    title: str
    arrange: Arrange
    measure: str = "heldout_accuracy"
    stripped: bool = False


def make(
    corpus: Corpus, stream: Stream, seed: int, documents: int | None, heldout: int | None
) -> tuple[list[Document], list[Document]]:
    """Return what is streamed, and what the model is examined on.

    Parameters
    ----------
    documents, heldout
        How many of each split to take at most; those of the test split are drawn at random.
    """
    train = order.shuffled(corpus.train, Random(seed))[:documents]
    test = list(corpus.test)
    if heldout is not None and heldout < len(test):
        test = Random(seed).sample(test, heldout)
    if stream.stripped:
        train = [raw_newsgroups.strip(document, PARTS) for document in train]
        test = [raw_newsgroups.strip(document, PARTS) for document in test]
    # The wire contract refuses empty texts; examined on, they count like any other.
    train = [document for document in train if document.text.strip()]
    return stream.arrange(train, Random(seed)), test


def as_shuffled(documents: Sequence[Document], _random: Random) -> list[Document]:
    """Leave them as they are."""
    return list(documents)


def by_label(documents: Sequence[Document], random: Random) -> list[Document]:
    """Put one label after the other, in random order."""
    ranks = _ranks(documents, random)
    return sorted(documents, key=lambda document: ranks[document.label])


def zipf(documents: Sequence[Document], random: Random) -> list[Document]:
    """Keep of the label of rank r the first 1/r, rounded, and one document at least."""
    ranks = _ranks(documents, random)
    totals = dict.fromkeys(ranks, 0)
    for document in documents:
        totals[document.label] += 1
    room = {label: max(1, round(totals[label] / rank)) for label, rank in ranks.items()}
    kept = []
    for document in documents:
        if room[document.label]:
            room[document.label] -= 1
            kept.append(document)
    return kept


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
