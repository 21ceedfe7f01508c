"""Rows of JSON: one object a line, or a list of objects that is the whole file."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from producer.corpus.tables import encodings
from producer.corpus.tables.json_stream import JsonStream, Repeated, parse
from producer.corpus.tables.rows import BadRow, Row, TableError, kind

SAMPLE_ROWS = 1000
"""Rows at the beginning of the file that name the columns."""

HEAD_CHARACTERS = 1 << 18


class JsonRows:
    """The rows of a file of JSON.

    Parameters
    ----------
    path
        Path of the file.
    encoding
        Name of its codec.

    Raises
    ------
    TableError
        The file is no JSON of rows.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self._by_line = _is_lines(next(encodings.text(path, encoding), "")[:HEAD_CHARACTERS])
        form = "JSON Lines" if self._by_line else "a JSON list"
        self.description = f"{form}, {encoding}"
        self.place = "line" if self._by_line else "row"
        rows = islice((row for _, row in self._rows() if isinstance(row, dict)), SAMPLE_ROWS)
        self.names = list(dict.fromkeys(name for row in rows for name in row))

    def sample(self) -> Sequence[Sequence[Any]]:
        """Return nothing: the names say what the columns hold."""
        return ()

    def read(self, wanted: Sequence[int]) -> Iterator[Row]:
        """Stream the cells of some columns, which are given by their places in `names`."""
        names = [self.names[place] for place in wanted]
        for number, row in self._rows():
            if isinstance(row, BadRow):
                yield number, row
            else:
                yield number, [row.get(name) for name in names]

    def _rows(self) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
        if self._by_line:
            for number, line in enumerate(encodings.lines(self._path, self._encoding), 1):
                if line.strip():
                    yield number, self._line(line)
            return
        try:
            stream = JsonStream(encodings.text(self._path, self._encoding))
            for number, (value, source) in enumerate(stream.rows(), 1):
                yield number, self._row(value, source)
        except ValueError as error:
            raise TableError(f"{self._path}: {error}") from error

    def _line(self, line: str) -> dict[str, Any] | BadRow:
        try:
            value = parse(line)
        except Repeated as error:
            return BadRow(str(error))
        except (ValueError, RecursionError) as error:
            return BadRow(f"not JSON ({getattr(error, 'msg', error)})")
        return self._row(value, line)

    def _row(self, value: object, source: str) -> dict[str, Any] | BadRow:
        if not source.isascii() and encodings.UNDECODABLE.search(source):
            return BadRow(encodings.not_encoded(self._encoding))
        if isinstance(value, BadRow):
            return value
        return value if isinstance(value, dict) else BadRow(f"{kind(value)}, not an object")


def fits(head: str, *, named_json: bool) -> bool:
    """Return whether a file is JSON, and no separated file.

    Parameters
    ----------
    head
        First characters of the file.
    named_json
        Whether the name of the file says that it is JSON.
    """
    text = head.lstrip()
    if named_json or not text.startswith(("{", "[")):
        return named_json
    return text[1:].lstrip()[:1] in {'"', "{", "[", "}", "]"} and (
        text[0] == "{" or text[1:].lstrip()[:1] in {"{", "]"}
    )


def _is_lines(head: str) -> bool:
    """Return whether each line is a value of its own."""
    lines = [line for line in head.split("\n") if line.strip()]
    if (
        head.lstrip().startswith("[")
        and len(lines) > 0
        and not _is_object(lines[min(1, len(lines) - 1)])
    ):
        return False
    objects = sum(_is_object(line) for line in lines[:20])
    if len(lines) == 1 and objects:
        return not any(_is_list_of_objects(value) for value in json.loads(lines[0]).values())
    return objects > 0


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
