"""Times as people write them."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsreel.events import times

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

SECONDS = 1_767_614_400

BERLIN = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-05T12:00:00",
        "2026-01-05 12:00",
        " 2026-01-05T12:00:00Z ",
        "2026-01-05t12:00:00z",
        "2026-01-05T12:00:00.000000000Z",
        "2026-01-05 12:00:00 UTC",
        "2026-01-05T13:00:00+01:00",
        "2026-01-05T13:00:00+0100",
        "2026-01-05T13:00:00+01:00[Europe/Berlin]",
        "2026/01/05 12:00:00",
        "20260105T120000",
        "20260105120000",
        20260105120000,
        "Mon, 5 Jan 2026 12:00:00 +0000",
        "Mon, 05 Jan 2026 13:00:00 +0100",
        SECONDS,
        float(SECONDS),
        SECONDS * 10**3,
        SECONDS * 10**6,
        SECONDS * 10**9,
        str(SECONDS),
        f"{SECONDS}000",
        f"{SECONDS}.0",
        b"2026-01-05T12:00:00Z",
        {"$date": "2026-01-05T12:00:00Z"},
        {"$date": SECONDS * 1000},
        {"$date": {"$numberLong": f"{SECONDS}000"}},
        datetime(2026, 1, 5, 12),  # noqa: DTZ001 - Avro's local timestamps are such
        datetime(2026, 1, 5, 13, tzinfo=BERLIN),
    ],
)
def test_noon(value: Any) -> None:
    """ISO 8601, dates of e-mails, and numbers since 1970 are understood; no offset means UTC."""
    time = times.parse(value)
    assert time == NOON
    assert time is not None
    assert time.tzinfo is not None


@pytest.mark.parametrize("value", ["2026-01-05", 20260105, "20260105", date(2026, 1, 5)])
def test_date(value: Any) -> None:
    """A date without a time is its midnight."""
    assert times.parse(value) == datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "yesterday", "12:00", "2026", "5 Jan", "05.01.2026", "\ud800", "9" * 400),
        *("2026-13-05", "2026-01-05T25:00:00", "2026-01-05T12:00:00[Europe/Berlin]"),
        *("0", "-1", 0, 1, 2026, 3.5, -3.5, 1e300, 10**400, True, False, None),
        *(float("nan"), float("inf"), float("-inf")),
        *([], [2026, 1, 5], {}, {"$date": None}, {"seconds": SECONDS}, b"\xff"),
    ],
)
def test_no_time(value: Any) -> None:
    """What is no time is none: small numbers are years or days, and a zone alone says no offset."""
    assert times.parse(value) is None


def test_offset_with_seconds() -> None:
    """An offset with seconds, which RFC 3339 does not have, becomes UTC."""
    zone = timezone(timedelta(minutes=53, seconds=28))
    time = times.parse(NOON.astimezone(zone).isoformat())
    assert time == NOON
    assert time is not None
    assert time.utcoffset() == timedelta()


def test_deeply_nested() -> None:
    """A time that is nested without end is none."""
    value: Any = "2026-01-05"
    for _ in range(100_000):
        value = {"$date": value}
    assert times.parse(value) is None


SIMILAR = st.text("0123456789 :,.+-/[]TZaDecFriMonUJ\u00e9", max_size=30)


@given(SIMILAR | st.text() | st.binary() | st.integers() | st.floats() | st.dates())
def test_anything(value: Any) -> None:
    """Whatever a value is, the result is none, or a time with an offset of whole minutes."""
    time = times.parse(value)
    if time is not None:
        offset = time.utcoffset()
        assert offset is not None
        assert offset % timedelta(minutes=1) == timedelta()


@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([1, 10**3, 10**6, 10**9]),
)
def test_numbers_since_1970(time: datetime, unit: int) -> None:
    """Seconds, milli-, micro- and nanoseconds differ in their size."""
    time = time.replace(microsecond=0)
    number = round(time.timestamp()) * unit
    assert times.parse(number) == times.parse(str(number)) == times.parse(float(number)) == time
