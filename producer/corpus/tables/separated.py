"""Rows of a separated file: commas, tabs or other separators, with or without quotes."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from producer.corpus.tables import encodings, header, lookalikes, sniffer
from producer.corpus.tables.cells import CellReader, RawRow
from producer.corpus.tables.dialect import Dialect
from producer.corpus.tables.rows import BadRow, Row, TableError

SAMPLE_CHARACTERS = 1 << 20
"""Beginning of the file by which it is recognized."""

COMMENT = "#"
"""Begins a row that is no row, if the names of the columns follow."""

MAX_PREAMBLE_ROWS = 20
"""Rows before the table, such as a title or comments."""

_EXCEL = re.compile(r'"?sep=(.)"?\s*$', re.IGNORECASE)

log = structlog.get_logger()


@dataclass(frozen=True)
class Layout:
    """What was recognized of a separated file.

    Parameters
    ----------
    dialect
        Separator, quoting and line end.
    names
        Names of the columns: numbers, if there is no row of names.
    named
        Whether there is a row of names.
    skipped
        Number of lines before the first document.
    titles
        Number of rows before the table that are skipped; the row of names is not one of them.
    trailing
        Whether a separator ends each row.
    rows
        First rows of documents.
    """

    dialect: Dialect
    names: Sequence[str]
    named: bool
    skipped: int
    titles: int
    trailing: bool
    rows: Sequence[Sequence[str]]


class SeparatedRows:
    """The rows of a separated file.

    Parameters
    ----------
    path
        Path of the file.
    encoding
        Name of its codec.
    wanted
        Names of columns that the user gave.
    separator, quoting, named
        What the user gave: separator, key of `dialect.QUOTINGS`, and whether the first row has the
        names of the columns. None for what is to be recognized.

    Raises
    ------
    TableError
        The file can't be recognized.
    """

    place = "line"

    def __init__(
        self,
        path: Path,
        encoding: str,
        wanted: Collection[str],
        separator: str | None = None,
        quoting: str | None = None,
        named: bool | None = None,  # noqa: FBT001 - None is a third value
    ) -> None:
        self._path = path
        self._encoding = encoding
        head = next(encodings.text(path, encoding), "")[:SAMPLE_CHARACTERS]
        self._end = sniffer.line_end(head)
        self._lines, self._complete = self._sample()
        try:
            self._layout = self._recognize(wanted, separator, quoting, named)
        except TableError as error:
            raise TableError(f"{path}, {error}") from error
        self.names = self._layout.names
        self._literal_seen = False

    @property
    def description(self) -> str:
        """Separator, quoting, row of names and encoding, in words."""
        layout = self._layout
        parts = [str(layout.dialect), "header" if layout.named else "no header"]
        if layout.trailing:
            parts.append("a separator at the end of each row")
        if layout.titles:
            parts.append(f"rows before the table skipped: {layout.titles}")
        return ", ".join([*parts, self._encoding])

    def sample(self) -> Sequence[Sequence[Any]]:
        """Return all cells of the first rows."""
        return self._layout.rows

    def read(self, wanted: Sequence[int]) -> Iterator[Row]:
        """Stream the cells of some columns, which are given by their places in `names`."""
        layout, width = self._layout, len(self.names)
        first_rows = list(iter(CellReader(self._lines, layout.dialect).next, None))
        are_rows = lookalikes.alike(first_rows, layout.dialect, width + layout.trailing)
        lines = encodings.lines(self._path, self._encoding, self._end)
        reader = CellReader(lines, layout.dialect, are_rows)
        literal, first = 0, 0
        for row in iter(reader.next, None):
            if row.number <= layout.skipped or row.is_blank:
                continue
            cells = row.cells
            if layout.trailing and len(cells) == width + 1 and not cells[-1].strip():
                cells = cells[:-1]
            if reason := self._problem(row, len(cells)):
                yield row.number, BadRow(reason)
                continue
            if row.broken:
                literal, first = literal + 1, first or row.number
            yield row.number, [cells[place] for place in wanted]
        if literal and not self._literal_seen:
            self._literal_seen = True
            log.warning("quotes that do not quote are part of the text", rows=literal, line=first)

    def _problem(self, row: RawRow, cells: int) -> str:
        """Return why a row can't be used; empty if it can."""
        width = len(self.names)
        for line in row.lines:
            if not line.isascii() and encodings.UNDECODABLE.search(line):
                return encodings.not_encoded(self._encoding)
            if "\0" in line:
                return "it contains a zero byte"
        if cells != width:
            quotes = ", and a quote that does not quote" if row.broken else ""
            return f"{cells} {'cell' if cells == 1 else 'cells'} instead of {width}{quotes}"
        return ""

    def _sample(self) -> tuple[list[str], bool]:
        """Return the first lines, and whether they are all."""
        sample, size = [], 0
        for line in encodings.lines(self._path, self._encoding, self._end):
            sample.append(line)
            size += len(line)
            if size > SAMPLE_CHARACTERS:
                return sample, False
        return sample, True

    def _recognize(
        self,
        wanted: Collection[str],
        separator: str | None,
        quoting: str | None,
        named: bool | None,  # noqa: FBT001 - None is a third value
    ) -> Layout:
        lines = self._lines
        start = next((at for at, line in enumerate(lines) if line.strip()), 0)
        if lines and (match := _EXCEL.match(lines[start])):
            separator = match[1] if separator is None else separator
            start += 1
        found = sniffer.sniff(lines[start:], wanted, separator, quoting)
        reader = CellReader(lines[start:], found)
        rows = [row for row in iter(reader.next, None) if not row.is_blank]
        if not self._complete:
            rows = rows[:-1] or rows
        if not rows:
            return Layout(found, (), named=False, skipped=0, titles=0, trailing=False, rows=())
        width = _width(rows, nameless=named is False)
        titles = _titles(rows, width, wanted)
        rows = rows[titles:]
        full = [row.cells for row in rows[1:] if len(row.cells) == width] or [rows[0].cells]
        first = rows[0].cells
        trailing = (
            width > 1
            and all(not cells[-1].strip() for cells in full)
            and (len(first) == width - 1 or (len(first) == width and not first[-1].strip()))
        )
        if trailing:
            width -= 1
            full, first = [cells[:width] for cells in full], first[:width]
        if named is None:
            named = (
                header.is_header([first, *full], wanted)
                if len(first) == width
                else (header.hits(first, wanted) > 0)
            )
        if named and len(first) == width - 1 and _are_numbers([cells[0] for cells in full]):
            first = ["", *first]  # R writes names of rows, but no name for them
        if len(first) != width:
            raise TableError(
                f"line {start + rows[0].number}: {len(first)} cells, but most rows have {width};"
                " put text that contains the separator in quotes, or say how the file is written"
                " with --separator, --quoting and --header"
            )
        data = rows[1:] if named else rows
        last = start + (rows[0].number + len(rows[0].lines) - 1 if named else rows[0].number - 1)
        return Layout(
            found,
            first if named else [str(number) for number in range(1, width + 1)],
            named,
            skipped=last,
            titles=titles,
            trailing=trailing,
            rows=[row.cells[:width] for row in data if len(row.cells) >= width],
        )


def _width(rows: Sequence[RawRow], *, nameless: bool) -> int:
    some = rows if nameless else rows[1:] or rows
    widths = Counter(len(row.cells) for row in some)
    first = len(rows[0].cells)
    return max(widths, key=lambda width: (widths[width], width == first, width))


def _titles(rows: Sequence[RawRow], width: int, wanted: Collection[str]) -> int:
    """Return the number of rows before the table: short ones, and comments before the names."""
    first_rows = rows[:MAX_PREAMBLE_ROWS]
    full = next((n for n, row in enumerate(first_rows) if len(row.cells) >= width), 0)
    for number, row in enumerate(first_rows):
        if header.hits(row.cells, wanted):
            return number
        if len(row.cells) >= width and not row.cells[0].lstrip().startswith(COMMENT):
            break
    return full


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(cell.strip().isdecimal() for cell in cells)
