"""The dialect of a separated file: how its cells are separated, and how they are quoted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from producer.corpus.tables.rows import TableError

NONE = "none"

ANY_END = "any"
"""Line feeds and carriage returns both end a line."""

QUOTINGS: Mapping[str, tuple[str, bool]] = {
    "double": ('"', False),
    "backslash": ('"', True),
    "single": ("'", False),
    "single-backslash": ("'", True),
    NONE: ("", False),
}
"""Quote and whether a backslash escapes it, by the name of the quoting."""

SEPARATORS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "pipe": "|",
    "space": " ",
    "colon": ":",
    "caret": "^",
    "tilde": "~",
    "ctrl-a": "\x01",
    "unit": "\x1f",
    NONE: "",
}
"""Separators by name; an empty separator means one column."""

_QUOTING_WORDS = {
    "double": "double quotes",
    "backslash": "double quotes escaped by backslashes",
    "single": "single quotes",
    "single-backslash": "single quotes escaped by backslashes",
    NONE: "no quoting",
}

_NAMES = {separator: name for name, separator in SEPARATORS.items()}


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""Separator and quoting of a file.

    Parameters
    ----------
    separator
        One or more characters between cells; empty if each line is one cell.
    quoting
        A key of `QUOTINGS`.
    end
        End of a line: a line feed, a carriage return, or `ANY_END`.

    Examples
    --------
    >>> print(Dialect("\t", "none"))
    tab, no quoting
    """

    separator: str
    quoting: str
    end: str = "\n"

    def __str__(self) -> str:
        return f"{name(self.separator)}, {_QUOTING_WORDS[self.quoting]}"

    @property
    def quote(self) -> str:
        """Character around a quoted cell; empty if there is none."""
        return QUOTINGS[self.quoting][0]

    @property
    def escapes(self) -> bool:
        """Whether a backslash in a quoted cell escapes the quote."""
        return QUOTINGS[self.quoting][1]

    def unquoted(self, cell: str) -> str:
        """Return the text of a quoted cell, given what is between its quotes."""
        if not self.escapes:
            return cell.replace(self.quote * 2, self.quote)
        return _escaped(self.quote).sub(lambda match: match[1] or self.quote, cell)


@cache
def _escaped(quote: str) -> re.Pattern[str]:
    return re.compile(rf"\\(\\|\n|\r\n?|{quote})|{quote}{quote}")


def name(separator: str) -> str:
    """Return a separator in words."""
    if not separator:
        return "one column"
    return _NAMES.get(separator) or repr(separator)


def separator(text: str) -> str:
    """Return the separator that a user names: by a name, or by its characters.

    Raises
    ------
    TableError
        The separator contains a line end or a quote.
    """
    found = SEPARATORS.get(text.lower())
    if found is None:
        found = text.replace("\\t", "\t")
    if set(found) & set("\r\n\"'"):
        raise TableError(
            f"--separator {text!r}: a line end or a quote can't separate cells; name one of"
            f" {', '.join(SEPARATORS)}, or give the characters"
        )
    return found
