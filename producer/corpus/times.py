"""Times of documents from a separate file: the bydate split of 20 Newsgroups has lost its dates."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from newsreel.common.errors import UserError
from newsreel.events import times
from newsreel.events.document import Document

COLUMNS = ("split", "group", "id", "date_utc")


class TimesError(UserError):
    """The times of documents are missing or can't be read."""


def read(path: Path) -> dict[str, datetime]:
    """Read the times of posts, by the id of the document.

    Parameters
    ----------
    path
        Tab-separated file in UTF-8 with columns ``split``, ``group``, ``id`` and ``date_utc`` (ISO
        8601). An empty ``date_utc`` is an unknown time.

    Raises
    ------
    TimesError
        The file can't be read, a column is missing, or a time is not ISO 8601.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return dict(_rows(path, csv.DictReader(file, delimiter="\t")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise TimesError(
            f"dates {str(path)!r} can't be read ({reason}); give another file"
        ) from error


def _rows(path: Path, reader: "csv.DictReader[str]") -> Iterator[tuple[str, datetime]]:
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise TimesError(
            f"dates {str(path)!r} has no column {missing[0]!r}; it must have {', '.join(COLUMNS)},"
            " separated by tabs"
        )
    for row in reader:
        if row["date_utc"]:
            yield (
                f"{row['split']}/{row['group']}/{row['id']}",
                parse(row["date_utc"], f"dates {str(path)!r}, line {reader.line_num}"),
            )


def parse(text: str, where: str) -> datetime:
    """Parse a time, as `newsreel.events.times` does; a time without an offset is UTC.

    Parameters
    ----------
    text
        Time to parse.
    where
        File and line of the time, for the error message.

    Raises
    ------
    TimesError
        The text is no time.
    """
    time = times.parse(text)
    if time is None:
        raise TimesError(f"{where}: {text[:80]!r} is not a time; write it as 1993-04-05T12:00:00Z")
    return time


def require(documents: Iterable[Document]) -> Iterator[Document]:
    """Pass documents on, and check that one of them has a time.

    Raises
    ------
    TimesError
        All documents were read, and none has a time.
    """
    timed = False
    for document in documents:
        timed = timed or document.time is not None
        yield document
    if not timed:
        raise TimesError(
            "--speedup needs the times of documents, and none has one: give --rate instead, or name"
            " --time-column or --dates"
        )


def add(documents: Iterator[Document], known: Mapping[str, datetime]) -> Iterator[Document]:
    """Set the time of each document whose id is in a mapping; others keep theirs."""
    for document in documents:
        yield replace(document, time=known.get(document.id, document.time))
