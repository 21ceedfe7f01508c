"""Rows of a separated file: lines split into cells. Quotes that do not quote merge no lines."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from producer.corpus.tables.dialect import Dialect

MAX_CELL_CHARACTERS = 1 << 22
"""Largest quoted cell; a quote that is not closed before is no quote."""


@dataclass(slots=True)
class RawRow:
    """A row of a separated file.

    Parameters
    ----------
    number
        Number of its first line, from 1.
    lines
        Its lines, with their ends.
    cells
        Its cells.
    quoted
        Number of quoted cells.
    broken
        Whether a cell begins with a quote that does not quote.
    """

    number: int
    lines: list[str]
    cells: list[str] = field(default_factory=list)
    quoted: int = 0
    broken: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether the row is an empty line."""
        return len(self.lines) == 1 and not self.lines[0].strip()


class CellReader:
    r"""Splits lines into rows.

    A quoted cell begins with a quote and ends with one that is followed by a separator or the end
    of the line. If a cell begins with a quote and no such end follows, the quote is an ordinary
    character, and the cell ends at the next separator of its line.

    Parameters
    ----------
    lines
        Lines with their ends.
    dialect
        Separator and quoting.
    are_rows
        Returns whether the lines of a row with a quoted line end are rows by themselves: then the
        quotes do not quote. By default they never are.

    Examples
    --------
    >>> reader = CellReader(['a,"b\n', 'c"\n', '"d,e\n'], Dialect(",", "double"))
    >>> [row.cells for row in iter(reader.next, None)]
    [['a', 'b\nc'], ['"d', 'e']]
    """

    def __init__(
        self,
        lines: Iterable[str],
        dialect: Dialect,
        are_rows: Callable[[Sequence[str]], bool] = lambda _: False,
    ) -> None:
        self._lines = iter(lines)
        self._dialect = dialect
        self._are_rows = are_rows
        self._waiting: deque[str] = deque()
        self._number = 0
        quote, separator = re.escape(dialect.quote or '"'), re.escape(dialect.separator)
        self._opening = re.compile(rf" *{quote}")
        escaped = r"|\\." if dialect.escapes else ""
        plain = rf"[^{quote}\\]" if dialect.escapes else rf"[^{quote}]"
        self._inside = re.compile(rf"(?:{plain}++|{quote}{quote}{escaped})*+", re.DOTALL)
        closed = rf"(?={separator}|[\r\n]|\Z)" if separator else r"(?=[\r\n]|\Z)"
        self._closing = re.compile(rf"{quote}[ ]*{closed}")

    def next(self) -> RawRow | None:
        """Return the next row, or None after the last one."""
        line = self._next_line()
        if line is None:
            return None
        row = RawRow(self._number, [line])
        if not self._dialect.quote or self._dialect.quote not in line:
            row.cells = self._plain(line)
            return row
        self._split(row)
        if len(row.lines) > 1 and self._are_rows(row.lines):
            self._give_back(row.lines[1:])
            row = RawRow(row.number, [line], self._plain(line), broken=True)
        return row

    def _split(self, row: RawRow) -> None:
        line, start = row.lines[0], 0
        while True:
            opening = self._opening.match(line, start)
            if opening and (found := self._quoted(row, line, opening.end())):
                cell, line, start = found
                row.quoted += 1
            else:
                row.broken = row.broken or opening is not None
                cell, start = self._literal(line, start)
            row.cells.append(cell)
            if not self._dialect.separator or not line.startswith(self._dialect.separator, start):
                return
            start += len(self._dialect.separator)

    def _quoted(self, row: RawRow, line: str, start: int) -> tuple[str, str, int] | None:
        """Return a quoted cell, its last line, and its end in it; None if it is not closed."""
        parts: list[str] = []
        taken: list[str] = []
        size = 0
        while True:
            match = self._inside.match(line, start)
            assert match  # noqa: S101 - the pattern matches the empty text
            parts.append(line[start : match.end()])
            if match.end() < len(line):
                closing = self._closing.match(line, match.end())
                if closing is None:
                    break
                row.lines += taken
                return self._dialect.unquoted("".join(parts)), line, closing.end()
            size += len(line)
            following = self._next_line() if size < MAX_CELL_CHARACTERS else None
            if following is None:
                break
            taken.append(following)
            line, start = following, 0
        self._give_back(taken)
        return None

    def _literal(self, line: str, start: int) -> tuple[str, int]:
        separator = self._dialect.separator
        end = line.find(separator, start) if separator else -1
        if end < 0:
            end = len(line.rstrip("\r\n"))
        return line[start:end], max(start, end)

    def _plain(self, line: str) -> list[str]:
        text = line.rstrip("\r\n")
        return text.split(self._dialect.separator) if self._dialect.separator else [text]

    def _next_line(self) -> str | None:
        line = self._waiting.popleft() if self._waiting else next(self._lines, None)
        self._number += line is not None
        return line

    def _give_back(self, lines: Sequence[str]) -> None:
        self._waiting.extendleft(reversed(lines))
        self._number -= len(lines)
