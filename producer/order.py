"""In which order documents arrive.

An order is an endless series of passes over a corpus, each an iterable of documents.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random

from events.document import Document, encode
from events.errors import EncodeError

Passes = Iterable[Iterable[Document]]


def as_is(corpus: Iterable[Document]) -> Passes:
    """Pass over the corpus as it is, again and again."""
    return itertools.repeat(corpus)


def shuffled(documents: Sequence[Document], random: Random) -> Passes:
    """Shuffle the documents anew for each pass."""
    while True:
        yield random.sample(documents, len(documents))


def replay(passes: Passes, repeat: int, limit: int | None = None) -> Iterator[Document]:
    """Chain some passes into one stream.

    Parameters
    ----------
    passes
        An order.
    repeat
        Passes to make. Ids end with ``#2``, ``#3``, ... from the second one on: a document that
        comes again is another event.
    limit
        Documents in all, at most.
    """
    stream = (
        document if number == 1 else replace(document, id=f"{document.id}#{number}")
        for number, documents in enumerate(itertools.islice(passes, repeat), 1)
        for document in documents
    )
    return itertools.islice(stream, limit)


def resume(stream: Iterator[Document], published: int) -> Iterator[Document]:
    """Leave out the documents at the front of a stream that were published before.

    Parameters
    ----------
    stream
        The same as then.
    published
        How many records it gave; documents that break the wire contract gave none.
    """
    while published and (document := next(stream, None)):
        with suppress(EncodeError):
            encode(document, source="published")
            published -= 1
    return stream
