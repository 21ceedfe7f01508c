"""The label in a cell of a table."""

import re
from collections.abc import Iterable
from decimal import Decimal

from newsreel.events.label_text import normalized
from newsreel.events.scalars import scalar
from producer.corpus.tables.rows import BadRow, kind

MISSING = frozenset(
    {"", "NaN", "nan", "NAN", "None", "NULL", "Null", "null", "N/A", "n/a", "#N/A", "<NA>", "NaT"}
    | {"\\N"}
)
"""What programs write where there is no label."""

_INTEGRAL = re.compile(r"([-+]?\d+)\.0+")

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def text(value: object) -> str | BadRow:
    """Return the text of a label, an id or a time; empty where there is none."""
    if (found := scalar(value)) is not None:
        return found
    return "" if value is None or isinstance(value, float | Decimal) else BadRow(kind(value))


def is_missing(label: str) -> bool:
    """Return whether a cell says that there is no label."""
    return label.strip() in MISSING


def are_numbers(cells: Iterable[object]) -> bool:
    """Return whether all labels of a column of texts are numbers: then ``1.0`` is ``1``."""
    labels = [cell.strip() for cell in cells if isinstance(cell, str) and not is_missing(cell)]
    return bool(labels) and all(_NUMBER.fullmatch(label) for label in labels)


def label(written: str, *, numeric: bool) -> str | None:
    """Return a label as newsreel learns it: trimmed, in NFC; None if there is none.

    Parameters
    ----------
    written
        Content of the cell.
    numeric
        Whether the labels of the column are numbers.
    """
    if is_missing(written):
        return None
    if numeric and (match := _INTEGRAL.fullmatch(written.strip())):
        return match[1]
    return normalized(written) or None
