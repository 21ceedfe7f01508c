"""Draw malformed records with hypothesis, each with the reason of its dead letter."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from chaos.wire import Raw
from newsreel.events.cloudevents import Headers, attributes
from newsreel.events.errors import Reason
from newsreel.events.record import MAX_LABEL_CHARACTERS, MAX_RECORD_BYTES

GROUP = 20
"""Records in an example of hypothesis, which is quicker than one record in each."""

NESTED = 10_000

TOO_DEEP = b"[" * NESTED + b"]" * NESTED

VALID = {"text": "hockey goal", "label": "sport"}

VALID_HEADERS = attributes("id", "chaos", datetime(2026, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A malformed record, and the reason of its dead letter."""

    record: Raw
    reason: Reason


def draw(count: int, number: int) -> list[BadRecord]:
    """Draw records of all kinds.

    Parameters
    ----------
    number
        Seed; equal seeds give equal records.
    """
    drawn: list[BadRecord] = []
    while len(drawn) < count:
        number += 1

        @seed(number)
        @settings(
            max_examples=-(-(count - len(drawn)) // GROUP),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(bad_records(), min_size=GROUP, max_size=GROUP))
        def collect(group: list[BadRecord]) -> None:
            drawn.extend(group)

        collect()
    return drawn[:count]


def bad_records() -> st.SearchStrategy[BadRecord]:
    """Draw a record of any kind, except one that is too large."""
    return st.one_of(
        [
            _valued(Reason.NO_VALUE, st.just(b"")),
            _valued(
                Reason.NOT_UTF8, st.binary(max_size=40).map(lambda junk: b'{"text": "\xff' + junk)
            ),
            _valued(Reason.NOT_JSON, _not_json()),
            _valued(Reason.WRONG_SHAPE, _wrong_shapes().map(_json)),
            _valued(Reason.EMPTY_TEXT, _with("text", st.text(" \t\r\n\u2003", max_size=5))),
            _valued(Reason.LABEL_LENGTH, _with("label", _wrong_lengths())),
            _valued(Reason.LABEL_LIMIT, _with("label", _words().map("no label ".__add__))),
        ]
    )


def too_large() -> BadRecord:
    """Return a record whose value is one byte too large."""
    empty = _json({"text": ""})
    value = _json({"text": "x" * (MAX_RECORD_BYTES + 1 - len(empty))})
    return BadRecord(Raw(b"large", value, []), Reason.TOO_LARGE)


def _valued(reason: Reason, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[BadRecord]:
    """Draw records with a wrong value, and with any key and headers."""
    names = st.sampled_from(["x-", "dl_"]).flatmap(lambda start: _words().map(start.__add__))
    other = st.tuples(names, st.binary(max_size=20))
    headers: st.SearchStrategy[Headers] = st.one_of(
        st.just([]), st.just(VALID_HEADERS), st.lists(other, max_size=3)
    )
    keys = st.none() | st.binary(max_size=20)
    return st.builds(
        lambda key, value, headers: BadRecord(Raw(key, value, headers), reason),
        keys,
        values,
        headers,
    )


def _not_json() -> st.SearchStrategy[bytes]:
    """Draw prefixes of valid JSON, other texts, and JSON that is nested too deep."""
    valid = _json(VALID)
    return st.one_of(
        st.integers(1, len(valid) - 1).map(lambda end: valid[:end]),
        st.text(min_size=1, max_size=40).filter(lambda text: not _is_json(text)).map(str.encode),
        st.just(TOO_DEEP),
    )


def _wrong_shapes() -> st.SearchStrategy[Any]:
    """Draw JSON without a text, and with texts and labels of other types."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=10)
    )
    values = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words(), inner, max_size=3),
        max_leaves=5,
    )
    no_strings = values.filter(lambda value: not isinstance(value, str))
    composed = values.filter(lambda value: isinstance(value, list | dict))
    return st.one_of(
        values.filter(lambda value: not isinstance(value, dict) or "text" not in value).filter(
            lambda value: value is not None  # a tombstone
        ),
        no_strings.map(lambda value: VALID | {"text": value}),
        composed.map(lambda value: VALID | {"label": value}),
    )


def _with(field: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: _json(VALID | {field: value}))


def _wrong_lengths() -> st.SearchStrategy[str]:
    return st.integers(MAX_LABEL_CHARACTERS + 1, MAX_LABEL_CHARACTERS + 50).map("l".__mul__)


def _words() -> st.SearchStrategy[str]:
    return st.text("abcdefghijklmnopqrstuvwxyz\u00e9\u732b", min_size=1, max_size=8)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _is_json(text: str) -> bool:
    try:
        json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return False
    return True
