"""Strings, numbers and truth values as labels, ids and texts, wherever they are read."""

import json
import re
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

_SURROGATE = re.compile("[\ud800-\udfff]")


def scalar(found: Any) -> str | None:
    """Return a string, number or truth value as JSON writes it; None for null and NaN."""
    match found:
        case str():
            return whole(found)
        case bool():
            return json.dumps(found)
        case int():
            return str(found)
        case float() | Decimal() if isfinite(found):
            return str(int(found)) if found == int(found) else str(found)
        case date() | UUID():  # logical types of Avro
            return found.isoformat() if isinstance(found, date) else str(found)
    return None


def whole(string: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 can hold, by U+FFFD."""
    return string if string.isascii() else _SURROGATE.sub("\ufffd", string)
