"""Read times as people write them; a time without an offset is UTC."""

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LEAST_SECONDS = 1e8
"""Smaller numbers are no times: they are years, or days, or other numbers."""

UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
"""Numbers below the first figure count seconds; then milliseconds, microseconds, nanoseconds."""

_NUMBER = re.compile(r"[+-]?\d{9,19}(\.\d+)?", re.ASCII)

_COMPACT = re.compile(r"(19|20)\d{12}", re.ASCII)
"""Date and time without separators; as milliseconds, these numbers were of the year 2570."""

_ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)\[[\w/+-]+\]$", re.ASCII)
"""An offset, and the name of its zone, as Java writes both."""


def parse(value: Any) -> datetime | None:
    """Return a time with an offset; None if the value is no time.

    Parameters
    ----------
    value
        ISO 8601 with or without an offset, with or without separators; an e-mail's date; a number
        since 1970 in seconds, milli-, micro- or nanoseconds, which its size tells apart.
    """
    try:
        time = _parse(value)
        if time is None:
            return None
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        if (time.utcoffset() or timedelta()) % timedelta(minutes=1):
            return time.astimezone(UTC)  # RFC 3339 has no seconds in an offset
    except (ValueError, OverflowError, RecursionError):
        return None
    return time


def milliseconds(timestamp: int) -> int:
    """Return a record's timestamp in milliseconds: its size tells in which unit it was written.

    Examples
    --------
    >>> milliseconds(1_764_070_530), milliseconds(1_764_070_530_000_000)
    (1764070530000, 1764070530000)
    """
    unit = next((unit for limit, unit in UNITS if abs(timestamp) < limit), UNITS[-1][1])
    return timestamp * 1000 // int(unit)


def _parse(value: Any) -> datetime | None:
    match value:
        case datetime():
            return value
        case date():
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - set by the caller
        case float():
            return _since_1970(value)
        case {"$date": inner} | {"$numberLong": inner}:  # MongoDB's extended JSON
            return _parse(inner)
        case int() | str() | bytes() if not isinstance(value, bool):
            return _text((value.decode() if isinstance(value, bytes) else str(value)).strip())
    return None


def _text(text: str) -> datetime | None:
    if _COMPACT.fullmatch(text):
        return datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - set by the caller
    if _NUMBER.fullmatch(text):
        return _since_1970(float(text))
    iso = re.sub(r"^(\d{4})/(\d\d?)/", r"\1-\2-", text)
    iso = _ZONE.sub(r"\1", re.sub(r"\s*(UTC|GMT|z)$", "Z", iso))
    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        return parsedate_to_datetime(text)


def _since_1970(number: float) -> datetime:
    if not LEAST_SECONDS <= abs(number) < UNITS[-1][0]:
        raise ValueError("no time of our days")
    unit = next(unit for limit, unit in UNITS if abs(number) < limit)
    return EPOCH + timedelta(seconds=number / unit)
