"""Lines of a quoted cell that may be rows by themselves: then the quotes do not quote."""

from collections import Counter
from collections.abc import Callable, Sequence

from producer.corpus.tables.cells import RawRow
from producer.corpus.tables.dialect import NONE, Dialect
from producer.corpus.tables.rows import TableError

MAX_LABEL_CHARACTERS, MAX_LABEL_WORDS = 40, 3


def alike(rows: Sequence[RawRow], dialect: Dialect, width: int) -> Callable[[Sequence[str]], bool]:
    """Return a function that says whether lines of a quoted cell are rows by themselves.

    They are if each line has all cells, and one column holds short values, of which half at least
    are those of other rows: labels. This holds without the first line and without the last one,
    since one of them has the label of the row in any case.

    Parameters
    ----------
    rows
        First rows of the file.
    dialect
        Dialect of the rows.
    width
        Number of cells of a row.
    """
    certain = [
        row
        for row in rows
        if not row.broken
        and (len(row.lines) == 1 or any(len(_split(line, dialect)) != width for line in row.lines))
    ]
    if any(row.quoted for row in certain):
        known = [row.cells for row in certain]
    else:
        known = [_split(line, dialect) for row in rows for line in row.lines]
    counts = [Counter(row[place] for row in known if len(row) == width) for place in range(width)]

    def known_rows(cells: Sequence[Sequence[str]], place: int) -> float:
        return sum(counts[place][row[place]] > 1 for row in cells) / len(cells)

    def are_rows(lines: Sequence[str]) -> bool:
        cells = [_split(line, dialect) for line in lines]
        return all(len(row) == width for row in cells) and any(
            all(_is_short(row[place]) for row in cells)
            and min(known_rows(cells[:-1], place), known_rows(cells[1:], place)) >= 0.5  # noqa: PLR2004
            for place in range(width)
        )

    return are_rows


def refuse_ambiguous(row: RawRow, dialect: Dialect, width: int) -> None:
    """Raise an error if the only quotes of a file enclose lines that may be rows."""
    cells = [_split(line, dialect) for line in row.lines]
    if (
        width > 1
        and all(len(one) == width for one in cells)
        and any(all(_is_short(one[place]) for one in cells) for place in range(width))
    ):
        raise TableError(
            f"line {row.number} begins a cell with a quote, line {row.number + len(row.lines) - 1}"
            " closes it, and each of these lines may be a row by itself; give"
            f" --quoting {NONE} if they are rows, or --quoting {dialect.quoting}"
        )


def _split(line: str, dialect: Dialect) -> list[str]:
    text = line.rstrip("\r\n")
    return text.split(dialect.separator) if dialect.separator else [text]


def _is_short(cell: str) -> bool:
    return (
        0 < len(cell) <= MAX_LABEL_CHARACTERS
        and not cell[0].isspace()
        and len(cell.split()) <= MAX_LABEL_WORDS
        and not cell.startswith(('"', "'"))
    )
