"""Orders of the corpus, before any scenario changes the stream; each function makes one pass."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from random import Random

import structlog

from newsreel.events.document import Document, encode
from newsreel.events.errors import EncodeError
from producer.scenarios.stream import Item, ScenarioError, Stream

_NUMBER = re.compile(r"(\d+)\D*$", re.ASCII)

log = structlog.get_logger()


def shuffled(documents: Sequence[Document], random: Random) -> list[Document]:
    """Return the documents in random order."""
    return random.sample(documents, len(documents))


def chronological(documents: Sequence[Document]) -> list[Document]:
    """Sort documents by their times.

    A document without a time follows the document of its label with the next lower number in the
    id. If no document has a time, the numbers at the end of the ids decide, such as the article
    numbers of a newsgroup; labels are interleaved, so that all begin and end together. A log line
    says which of the two was used.

    Parameters
    ----------
    documents
        Corpus to sort.

    Raises
    ------
    ScenarioError
        A document has neither a time nor a number in its id.
    """
    groups: dict[str | None, list[Document]] = defaultdict(list)
    for document in documents:
        groups[document.label].append(document)
    try:
        for group in groups.values():
            group.sort(key=_number)
    except ScenarioError:
        if not all(document.time for document in documents):
            raise
    timed = sum(document.time is not None for document in documents)
    by = "time" if timed else "number in the id"
    log.info("chronological", by=by, without_time=len(documents) - timed)
    if timed:
        by_time = sorted(_with_times(groups.values()), key=lambda pair: pair[0])
        return [document for _, document in by_time]
    places = (
        ((rank + 0.5) / len(group), number, document)
        for number, group in enumerate(groups.values())
        for rank, document in enumerate(group)
    )
    return [document for _, _, document in sorted(places, key=lambda place: place[:2])]


def _with_times(groups: Iterable[Sequence[Document]]) -> Iterator[tuple[datetime, Document]]:
    """Pair each document with its time, or with that of its neighbour in the group."""
    untimed: list[Document] = []
    earliest: datetime | None = None
    for group in groups:
        last = next((document.time for document in group if document.time), None)
        if last is None:
            untimed += group
            continue
        for document in group:
            last = document.time or last
            earliest = last if earliest is None else min(earliest, last)
            yield last, document
    for document in untimed:
        assert earliest  # noqa: S101 - the caller has checked that one document has a time
        yield earliest, document


def _number(document: Document) -> int:
    match = _NUMBER.search(document.id)
    if match is None:
        raise ScenarioError(
            f"chronological: document {document.id!r} has neither a time nor a number in its id;"
            " name the column of times with --time-column, or a file of them with --dates"
        )
    return int(match[1])


def replay(one_pass: Callable[[], Iterable[Item]], repeat: int) -> Stream:
    """Chain several passes over the corpus into one stream.

    Ids of later passes end with the number of the pass, such as ``#2``: a document that is
    published twice makes two events.

    Parameters
    ----------
    one_pass
        Makes the items of one pass.
    repeat
        Number of passes.
    """
    for number in range(1, repeat + 1):
        for item in one_pass():
            if number > 1 and isinstance(item, Document):
                yield replace(item, id=f"{item.id}#{number}")
            else:
                yield item


def limited(stream: Stream, limit: int) -> Stream:
    """End a stream after a number of documents."""
    left = limit
    for item in stream:
        yield item
        left -= isinstance(item, Document)
        if not left:
            return


def resume(stream: Stream, published: int) -> Stream:
    """Skip the beginning of a stream that an earlier run published.

    Parameters
    ----------
    stream
        The same stream as in the earlier run.
    published
        Number of records of its documents. Documents that break the wire contract have none.
    """
    while published and (item := next(stream, None)):
        if isinstance(item, Document):
            with suppress(EncodeError):
                encode(item, source="published")
                published -= 1
    return stream
