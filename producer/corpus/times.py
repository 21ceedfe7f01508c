"""When documents came about: 20 Newsgroups as it is split by date has lost it, a file may tell."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from newsreel.common.errors import UserError
from newsreel.events.document import Document

COLUMNS = ("split", "group", "id", "date_utc")


class TimesError(UserError):
    """The dates can't be read."""


def read(path: Path) -> dict[str, datetime]:
    """Read the time of each post, by the id of its document.

    Parameters
    ----------
    path
        UTF-8, cells divided by tabs, with columns ``split``, ``group``, ``id`` and ``date_utc``
        (ISO 8601); where the last is empty, nothing is known.

    Raises
    ------
    TimesError
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
            " divided by tabs"
        )
    for row in reader:
        if row["date_utc"]:
            yield (
                f"{row['split']}/{row['group']}/{row['id']}",
                moment(row["date_utc"], f"dates {str(path)!r}, line {reader.line_num}"),
            )


def moment(text: str, where: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is UTC.

    Raises
    ------
    TimesError
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise TimesError(
            f"{where}: {text[:80]!r} is no time; write it as 1993-04-05T12:00:00Z"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def needed(documents: Iterable[Document]) -> Iterator[Document]:
    """Pass documents on whose times are gone by.

    Raises
    ------
    TimesError
        None had any.
    """
    timed = False
    for document in documents:
        timed = timed or document.time is not None
        yield document
    if not timed:
        raise TimesError(
            "--speedup goes by the documents' times, and none has one: give --rate instead, or name"
            " --time-column or --dates"
        )


def added(documents: Iterator[Document], times: Mapping[str, datetime]) -> Iterator[Document]:
    """Give documents the times that are known of them."""
    for document in documents:
        yield replace(document, time=times.get(document.id, document.time))
