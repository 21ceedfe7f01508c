"""What all formats of tables share: rows, rows that can't be used, and the error of a file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from newsreel.common.errors import UserError


class TableError(UserError):
    """The file can't be read as it is, or with these options; the message says what to do."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be used.

    Parameters
    ----------
    reason
        Why the row can't be used; a phrase that follows the number of the line.
    """

    reason: str


Row = tuple[int, Sequence[Any] | BadRow]
"""Number of the line, or of the row where a format has no lines, and the wanted cells."""


class Rows(Protocol):
    """The rows of a file that can be read several times."""

    @property
    def description(self) -> str:
        """How the file is read, such as ``tab, no quoting, no header, cp1252``."""
        ...

    @property
    def place(self) -> str:
        """What the numbers of the rows count: ``line`` or ``row``."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Names of the columns."""
        ...

    def sample(self) -> Sequence[Sequence[Any]]:
        """Return all cells of the first rows, or nothing if the names say what columns hold."""
        ...

    def read(self, wanted: Sequence[int]) -> Iterator[Row]:
        """Stream the cells of some columns, which are given by their places in `names`."""
        ...


def kind(value: object) -> str:
    """Return what a value of JSON or Parquet is, in words."""
    kinds: dict[type, str] = {
        type(None): "null",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), f"a {type(value).__name__}")
