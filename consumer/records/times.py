"""Read times as people write them; a time without an offset is UTC."""

import math
import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))
"""Numbers below the first figure count seconds; then milliseconds, microseconds, nanoseconds."""

_NUMBER = re.compile(r"[+-]?\d{9,19}(\.\d+)?", re.ASCII)


def parse(value: Any) -> datetime | None:
    """Return a time with an offset; None if the value is no time.

    Parameters
    ----------
    value
        ISO 8601 with or without an offset, an e-mail's date, or a number since 1970 in seconds,
        milli-, micro- or nanoseconds, which its size tells apart.
    """
    try:
        time = _parse(value)
        if time is None:
            return None
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        if (time.utcoffset() or timedelta()) % timedelta(minutes=1):
            return time.astimezone(UTC)  # RFC 3339 has no seconds in an offset
    except (ValueError, OverflowError):
        return None
    return time


def _parse(value: Any) -> datetime | None:
    match value:
        case datetime():
            return value
        case date():
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - set by the caller
        case int() | float() if not isinstance(value, bool):
            return _since_1970(value)
        case str() | bytes():
            return _text((value if isinstance(value, str) else value.decode()).strip())
        case {"$date": inner} | {"$numberLong": inner}:  # MongoDB's extended JSON
            return _parse(inner)
    return None


def _text(text: str) -> datetime | None:
    if _NUMBER.fullmatch(text):
        return _since_1970(float(text))
    iso = re.sub(r"\s*(UTC|GMT)$", "Z", re.sub(r"^(\d{4})/(\d\d?)/", r"\1-\2-", text))
    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        return parsedate_to_datetime(text)


def _since_1970(number: float) -> datetime:
    unit = next(unit for limit, unit in UNITS if abs(number) < limit)
    return EPOCH + timedelta(seconds=number / unit)
