"""Documents in a file of the user: JSON Lines, CSV or TSV, one document a row."""

import csv
import json
import reprlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from newsreel.common.errors import UserError
from newsreel.events.document import Document
from producer.corpus import times

LABEL_COLUMN = "label"
"""Column of the label if the user names none."""

MAX_CELL_CHARACTERS = 2**31 - 1
"""Largest cell that the csv module accepts on every platform; its default is 131,072."""

_SHORT = reprlib.Repr()

_SHORT.maxlist = 20  # columns that a message shows if one is missing

TableRow = tuple[int, dict[str, Any]]
"""Line number, and the cells by the name of the column."""


class TableError(UserError):
    """The file does not match its suffix or the options; the message names the line."""


def read(
    path: Path,
    text_column: str,
    label_column: str | None,
    id_column: str | None,
    time_column: str | None = None,
) -> Iterator[Document]:
    """Stream the documents of a file.

    Parameters
    ----------
    path
        File in UTF-8, with or without a byte order mark; the suffix is one of `SUFFIXES`.
    text_column
        Column of the text. A row without text yields a document with an empty text.
    label_column
        Column of the label; None for `LABEL_COLUMN` if there is such a column. A number becomes a
        string; an empty cell means that the label is unknown.
    id_column
        Column of the id; None for ids of the file's name and the row number.
    time_column
        Column of the time, ISO 8601; an empty cell means that the time is unknown.

    Raises
    ------
    TableError
        A row is broken or a column is missing; the message names the line.
    """
    columns = {
        "--text-column": text_column,
        "--label-column": label_column,
        "--id-column": id_column,
        "--time-column": time_column,
    }
    number = 0
    for number, (line, row) in enumerate(_rows(path), 1):
        where = f"{path}, line {line}"
        if number == 1:
            for option, column in columns.items():
                if column is not None:
                    _require(column, option, row, path)
        text = row.get(text_column)
        if not isinstance(text, str | None):
            raise TableError(
                f"{where}: {text_column!r} is {_kind(text)}, not text; name another column with"
                " --text-column"
            )
        label = _scalar(row.get(label_column or LABEL_COLUMN), label_column or LABEL_COLUMN, where)
        id_ = f"{path.name}:{number}"
        if id_column is not None:
            id_ = _scalar(row.get(id_column), id_column, where)
        written_time = _scalar(row.get(time_column), time_column, where) if time_column else None
        time = times.parse(written_time, where) if written_time else None
        yield Document(id_, text or "", label or None, time)
    if number == 0:
        raise TableError(f"{path} contains no documents; give a file that does")


def _rows(path: Path) -> Iterator[TableRow]:
    try:
        yield from _FORMATS[path.suffix.lower()](path)
    except OSError as error:
        raise TableError(f"{path} can't be read: {error.strerror or error}") from error


def _json_lines(path: Path) -> Iterator[TableRow]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise TableError(
                f"{path}, line {number}: not JSON ({reason}); each line must be one JSON object"
            ) from error
        if not isinstance(row, dict):
            raise TableError(
                f"{path}, line {number}: {_kind(row)}; each line must be one JSON object"
            )
        yield number, row


def _separated(path: Path, delimiter: str) -> Iterator[TableRow]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.DictReader(_lines(path), delimiter=delimiter, restval="", strict=True)
    try:
        for row in reader:
            if None in row:
                raise TableError(
                    f"{path}, line {reader.line_num}: more cells than columns; put text that"
                    " contains the separator in double quotes"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise TableError(
            f"{path}, line {reader.line_num + 1}: {error}; put a cell that contains quotes in"
            ' quotes, and write its own twice ("")'
        ) from error


def _lines(path: Path) -> Iterator[str]:
    """Decode a file line by line, so that an error can name the line."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise TableError(
                    f"{path}, line {number}: byte {error.start + 1} is not UTF-8;"
                    " save the file as UTF-8"
                ) from error


def _scalar(value: object, column: str, where: str) -> str:
    """Return the text of a label, an id or a time, empty if the cell has none."""
    match value:
        case None:
            return ""
        case str():
            return value
        case int() | float():
            return json.dumps(value)
    raise TableError(f"{where}: {column!r} is {_kind(value)}, not text or a number")


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
    return "an object"


def _require(column: str, option: str, row: dict[str, Any], path: Path) -> None:
    if column not in row:
        raise TableError(
            f"{path} has no column {column!r} (there are: {_SHORT.repr(list(row))});"
            f" name one of them with {option}"
        )


_FORMATS: dict[str, Callable[[Path], Iterator[TableRow]]] = {
    ".jsonl": _json_lines,
    ".csv": lambda path: _separated(path, ","),
    ".tsv": lambda path: _separated(path, "\t"),
}

SUFFIXES = tuple(_FORMATS)
