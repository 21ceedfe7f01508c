"""The label in a cell of a table."""

import json
import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from newsreel.events.label_text import normalized
from producer.corpus.tables.rows import BadRow, kind

MISSING = frozenset(
    {"", "NaN", "nan", "NAN", "None", "NULL", "Null", "null", "N/A", "n/a", "#N/A", "<NA>", "NaT"}
    | {"\\N"}
)
"""What programs write where there is no label."""

MAX_WHOLE = 2**53
"""Number from which on a float does not hold all whole numbers."""

_INTEGRAL = re.compile(r"([-+]?\d+)\.0+")

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def text(value: object) -> str | BadRow:  # noqa: PLR0911 - one for each kind of value
    """Return the text of a label, an id or a time; empty where there is none.

    Numbers and booleans are written as JSON writes them, whole numbers without a fraction.
    """
    if value is None or (isinstance(value, float | Decimal) and value != value):  # noqa: PLR0124
        return ""
    match value:
        case str():
            return value
        case bool():
            return json.dumps(value)
        case float() | Decimal():
            is_whole = -MAX_WHOLE < value < MAX_WHOLE and value == int(value)
            return str(int(value) if is_whole else value)
        case int():
            return str(value)
        case datetime() | date():
            return value.isoformat()
    return BadRow(kind(value))


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
