"""In which order documents arrive, before any scenario changes it: a pass over the corpus each."""

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
    """Shuffle the documents, anew for each pass."""
    return random.sample(documents, len(documents))


def chronological(documents: Sequence[Document]) -> list[Document]:
    """Put documents in the order of their times.

    One without a time comes after the one whose number is the next lower of the same label. Where
    none has a time, the numbers that ids end with stand for it, such as the article numbers of a
    newsgroup: labels are interleaved, so that all begin and end together. The log says which.

    Raises
    ------
    ScenarioError
        There are neither times nor numbers.
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
        return [document for _, document in sorted(_moments(groups.values()), key=lambda m: m[0])]
    places = (
        ((rank + 0.5) / len(group), number, document)
        for number, group in enumerate(groups.values())
        for rank, document in enumerate(group)
    )
    return [document for _, _, document in sorted(places, key=lambda place: place[:2])]


def _moments(groups: Iterable[Sequence[Document]]) -> Iterator[tuple[datetime, Document]]:
    """Give each document a time: its own, or that of a neighbour."""
    left: list[Document] = []
    earliest: datetime | None = None
    for group in groups:
        last = next((one.time for one in group if one.time), None)
        if last is None:
            left += group
            continue
        for document in group:
            last = document.time or last
            earliest = last if earliest is None else min(earliest, last)
            yield last, document
    for document in left:
        assert earliest  # noqa: S101 - somebody had a time
        yield earliest, document


def _number(document: Document) -> int:
    found = _NUMBER.search(document.id)
    if found is None:
        raise ScenarioError(
            f"chronological: document {document.id!r} has neither a time nor a number in its id;"
            " name the column of times with --time-column, or a file of them with --dates"
        )
    return int(found[1])


def replay(one_pass: Callable[[], Iterable[Item]], repeat: int) -> Stream:
    """Chain some passes into one stream.

    Parameters
    ----------
    one_pass
        Makes one.
    repeat
        How many. Ids end with ``#2``, ``#3``, ... from the second one on: a document that comes
        again is another event.
    """
    for number in range(1, repeat + 1):
        for item in one_pass():
            if number > 1 and isinstance(item, Document):
                yield replace(item, id=f"{item.id}#{number}")
            else:
                yield item


def limited(stream: Stream, limit: int) -> Stream:
    """End a stream after some documents."""
    left = limit
    for item in stream:
        yield item
        left -= isinstance(item, Document)
        if not left:
            return


def resume(stream: Stream, published: int) -> Stream:
    """Leave out what was published at the front of a stream before.

    Parameters
    ----------
    stream
        The same as then.
    published
        How many records its documents gave; those that break the wire contract gave none.
    """
    while published and (item := next(stream, None)):
        if isinstance(item, Document):
            with suppress(EncodeError):
                encode(item, source="published")
                published -= 1
    return stream
