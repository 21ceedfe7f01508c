"""Values of a large JSON file, one by one, in bounded memory."""

import json
from collections.abc import Iterator
from typing import Any

from producer.corpus.tables.rows import BadRow

MAX_VALUE_CHARACTERS = 1 << 26

_BLANK = " \t\r\n"


class Repeated(ValueError):  # noqa: N818 - a kind of row, not of program error
    """An object has two values of one name."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Repeated(f"two values of {twice!r}")
    return row


_DECODER = json.JSONDecoder(object_pairs_hook=_object)

parse = _DECODER.decode
"""Parse a text, and refuse objects with two values of one name."""


class JsonStream:
    """Reads the rows of a JSON file: the objects of its list.

    The list is the whole file, or the only list of objects in an object, such as ``data`` in
    ``{"data": [...]}``.

    Parameters
    ----------
    pieces
        Text of the file in pieces of any size.

    Examples
    --------
    >>> stream = JsonStream(iter(['{"version": 1, "da', 'ta": [{"text": "a"}, {"text": "b"}]}']))
    >>> [row for row, _ in stream.rows()]
    [{'text': 'a'}, {'text': 'b'}]
    """

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._at = 0
        self._row = 0

    def rows(self) -> Iterator[tuple[object, str]]:
        """Yield each row and its JSON text.

        Raises
        ------
        ValueError
            The file is not JSON, or has no list of rows, or several.
        """
        if self._peek() == "[":
            yield from self._list()
        elif self._peek() == "{":
            yield from self._wrapped()
        elif self._peek():
            raise ValueError("not JSON; each line must be an object, or the file a list of objects")
        if self._peek():
            raise ValueError(f"row {self._row + 1}: something follows the list")

    def _wrapped(self) -> Iterator[tuple[object, str]]:
        found = ""
        self._take("{")
        while self._peek() != "}":
            name, _ = self._value()
            self._take(":")
            if self._peek() == "[" and self._begins_with_object():
                if found:
                    raise ValueError(
                        f"it has two lists of objects, {found!r} and {name!r}; write one list to a"
                        " file of its own"
                    )
                found = str(name)
                yield from self._list()
            else:
                self._value()
            if self._peek() != "}":
                self._take(",")
        self._take("}")
        if not found:
            raise ValueError("it has no list of objects; write one object a line for each document")

    def _list(self) -> Iterator[tuple[object, str]]:
        self._take("[")
        while self._peek() != "]":
            self._row += 1
            yield self._value()
            if self._peek() != "]":
                self._take(",")
        self._take("]")

    def _begins_with_object(self) -> bool:
        while True:
            following = self._text[self._at + 1 :].lstrip(_BLANK)
            if following or not self._read():
                return following.startswith("{")

    def _value(self) -> tuple[object, str]:
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except Repeated as error:
                value, end = (
                    BadRow(str(error)),
                    json.JSONDecoder().raw_decode(self._text, self._at)[1],
                )
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at > MAX_VALUE_CHARACTERS or not self._read():
                    reason = getattr(error, "msg", error)
                    raise ValueError(f"row {self._row}: not JSON ({reason})") from error
                continue
            if end == len(self._text) and self._read():
                continue  # a number may go on
            source, self._at = self._text[self._at : end], end
            return value, source

    def _peek(self) -> str:
        """Return the next character that is not blank; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                return ""

    def _take(self, character: str) -> None:
        if self._peek() != character:
            raise ValueError(f"row {self._row}: not JSON ({character!r} is missing after it)")
        self._at += 1

    def _read(self) -> bool:
        """Read as much again as is waiting; returns whether there was anything."""
        rest = self._text[self._at :]
        pieces, size = [rest], 0
        for piece in self._pieces:
            pieces.append(piece)
            size += len(piece)
            if size and size >= len(rest):
                break
        self._text, self._at = "".join(pieces), 0
        return size > 0
