"""Recognizes the dialect of a separated file by the rows that each dialect gives.

Known sniffers were measured on tables of six public data sets in four separators and four
quotings, and on files whose quotes do not quote: csv.Sniffer and clevercsv name a blank as the
separator of texts, and duckdb merges rows at quotes that do not quote, and takes a first row for a
header. So each dialect is tried, and the one whose rows have the same number of cells is taken.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from producer.corpus.tables import header, lookalikes
from producer.corpus.tables.cells import CellReader, RawRow
from producer.corpus.tables.dialect import ANY_END, NONE, QUOTINGS, Dialect

CANDIDATES = ("||", "::", "\x01", "\x1f", "\t", "|", ";", ",", "^", "~")
"""Separators to try; of two that fit, the first is taken."""

MIN_SHARE = 0.5
"""Share of lines that must be in rows of one length."""

MIN_PROSE_SHARE = 0.75
"""The same for separators that texts contain, unless the first row names the columns."""

CLOSE = 0.01
"""Shares that differ by less fit alike."""

PROSE = (",", ";")
"""Separators that texts contain, so that their cells are usually quoted."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a dialect fits a file.

    Parameters
    ----------
    dialect
        Dialect that was tried.
    share
        Share of lines in rows of the usual number of cells, whose quotes all quote.
    width
        Usual number of cells of a row.
    first
        Cells of the first row.
    rows, quoted, needed, broken
        Numbers of rows, of quoted cells, of those that contain a separator, a quote or a line end,
        and of rows with a quote that does not quote.
    """

    dialect: Dialect
    share: float
    width: int
    first: Sequence[str]
    rows: int
    quoted: int
    needed: int
    broken: int


def line_end(sample: str) -> str:
    """Return the end of lines: a line feed, a carriage return, or `ANY_END` for both."""
    if "\n" not in sample:
        return "\r" if "\r" in sample else "\n"
    return ANY_END if "\r" in sample.replace("\r\n", "") else "\n"


def sniff(
    lines: Sequence[str],
    wanted: Collection[str],
    separator: str | None = None,
    quoting: str | None = None,
) -> Dialect:
    """Return the dialect of a file.

    Parameters
    ----------
    lines
        First lines of the file, with their ends.
    wanted
        Names of columns that the user gave, to recognize the row of names.
    separator, quoting
        What the user gave; None for what is to be recognized.

    Raises
    ------
    TableError
        Lines can be read in two ways.
    """
    filled = [line for line in lines if line.strip()]
    candidates = [separator] if separator is not None else _possible(filled)
    best: Fit | None = None
    for candidate in candidates:
        fit = _best_quoting(lines, candidate, quoting)
        if best is None or _rank(fit, wanted) > _rank(best, wanted):
            best = fit
    if separator is None and (best is None or not _is_table(best, wanted, filled)):
        best = _best_quoting(lines, "", quoting)
    assert best  # noqa: S101 - one candidate at least was tried
    return best.dialect


def _possible(lines: Sequence[str]) -> list[str]:
    some = lines[:50]
    found = [one for one in CANDIDATES if sum(one in line for line in some) > len(some) / 4]
    text = "".join(some)
    for long in ("||", "::"):
        if long in found and text.count(long) * 2 < 0.8 * text.count(long[0]):
            found.remove(long)
    if "||" in found and "|" in found:
        found.remove("|")
    return found


def _rank(fit: Fit, wanted: Collection[str]) -> tuple[bool, float, bool]:
    hits = header.hits(fit.first, wanted)
    names = hits > 1 or (hits > 0 and fit.share >= MIN_SHARE)
    return names, round(fit.share, 2), fit.dialect.quoting != NONE and fit.quoted > 0


def _is_table(fit: Fit, wanted: Collection[str], lines: Sequence[str]) -> bool:
    """Return whether a separator gives columns, and not only cuts texts."""
    if header.hits(lines[:1], wanted):  # the first line is the name of one column
        return False
    least = MIN_PROSE_SHARE if fit.dialect.separator in PROSE else MIN_SHARE
    return header.hits(fit.first, wanted) > 1 or fit.share >= least


def _best_quoting(lines: Sequence[str], separator: str, quoting: str | None) -> Fit:
    if quoting is not None:
        return try_dialect(lines, Dialect(separator, quoting))
    plain = try_dialect(lines, Dialect(separator, NONE))
    best, tried = plain, False
    for name, (quote, _) in QUOTINGS.items():
        if not quote or not any(quote in line for line in lines):
            continue
        fit = try_dialect(lines, Dialect(separator, name))
        tried = tried or (quote == '"' and fit.quoted + fit.broken > 0)
        better = (round(fit.share, 3), -fit.broken) > (round(best.share, 3), -best.broken)
        if _quotes(fit, plain) and (best is plain or better):
            best = fit
    if best is plain and not tried and separator in ("", *PROSE):
        return try_dialect(lines, Dialect(separator, "double"))  # quotes may follow later
    return best


def _quotes(fit: Fit, plain: Fit) -> bool:
    """Return whether the quotes of a dialect do quote."""
    if not fit.quoted or fit.share < plain.share - CLOSE:
        return False
    if fit.broken and fit.quoted < 10 * fit.broken and fit.share < plain.share + 5 * CLOSE:
        return False
    if fit.dialect.quote == "'" and fit.share <= plain.share:
        usual = fit.quoted * 10 >= fit.rows or fit.needed * 2 >= fit.quoted
        return usual and not fit.broken
    if fit.dialect.separator not in ("", *PROSE) and not fit.needed:
        return fit.quoted * 2 >= fit.rows
    return True


def try_dialect(lines: Sequence[str], dialect: Dialect) -> Fit:
    """Split lines into rows by a dialect, and return how well it fits.

    Raises
    ------
    TableError
        Lines can be read in two ways.
    """
    reader = CellReader(lines, dialect)
    rows = [row for row in iter(reader.next, None) if not row.is_blank]
    if not rows:
        return Fit(dialect, 0.0, 0, (), 0, 0, 0, 0)
    widths = Counter(len(row.cells) for row in rows if not row.broken)
    width = max(widths, key=lambda width: (widths[width], width), default=1)
    quoted = sum(row.quoted for row in rows)
    are_rows = lookalikes.alike(rows, dialect, width)
    broken = sum(row.broken for row in rows)
    good = 0
    for row in rows:
        if row.broken or len(row.cells) != width:
            continue
        if len(row.lines) > 1 and are_rows(row.lines):
            broken += 1
            continue
        if len(row.lines) > 1 and quoted == row.quoted:
            lookalikes.refuse_ambiguous(row, dialect, width)
        good += len(row.lines)
    total = sum(len(row.lines) for row in rows)
    share = 0.0 if dialect.separator and width == 1 else good / total
    needed = sum(_needs_quotes(row, dialect) for row in rows if row.quoted)
    return Fit(dialect, share, width, rows[0].cells, len(rows), quoted, needed, broken)


def _needs_quotes(row: RawRow, dialect: Dialect) -> bool:
    marks = {dialect.quote, "\n", "\r", dialect.separator} - {""}
    return any(mark in cell for cell in row.cells for mark in marks)
