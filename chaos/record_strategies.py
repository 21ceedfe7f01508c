"""Draw malformed records with hypothesis, each with the reason of its dead letter."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from chaos.wire import Raw
from newsreel.events.cloudevents import MAX_ID_CHARACTERS, Headers, attributes
from newsreel.events.errors import Reason
from newsreel.events.record import MAX_LABEL_CHARACTERS, MAX_RECORD_BYTES

GROUP = 20
"""Records in an example of hypothesis, which is quicker than one record in each."""

NESTED = 10_000

TOO_DEEP = b"[" * NESTED + b"]" * NESTED

VALID = {"text": "hockey goal", "label": "sport"}

VALID_HEADERS = attributes("id", "chaos", datetime(2026, 1, 1, tzinfo=UTC))

CE_NAMES = ("ce_specversion", "ce_type", "ce_id", "ce_source", "ce_time", "content-type")


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
            st.builds(
                partial(_bad, Reason.NO_VALUE), st.binary(min_size=1, max_size=20), st.none()
            ),
            st.builds(partial(_bad, Reason.BAD_ID), _bad_keys(), st.just(_json(VALID))),
            st.builds(_bad_id, st.text(min_size=1, max_size=20).filter(lambda id_: id_ != "id")),
            _bad_headers().map(_with_headers),
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


def _bad(reason: Reason, key: bytes | None, value: bytes | None) -> BadRecord:
    return BadRecord(Raw(key, value, []), reason)


def _bad_id(key: str) -> BadRecord:
    """Make a record whose key is not its ``ce_id``."""
    return BadRecord(Raw(key.encode(), _json(VALID), VALID_HEADERS), Reason.BAD_ID)


def _with_headers(headers: Headers) -> BadRecord:
    return BadRecord(Raw(b"id", _json(VALID), headers), Reason.BAD_HEADER)


def _valued(reason: Reason, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[BadRecord]:
    """Draw records with a wrong value, and with valid, missing or irrelevant headers."""
    names = st.sampled_from(["x-", "dl_"]).flatmap(lambda start: _words().map(start.__add__))
    other = st.tuples(names, st.binary(max_size=20))
    headers: st.SearchStrategy[Headers] = st.one_of(
        st.just([]), st.just(VALID_HEADERS), st.lists(other, max_size=3)
    )
    return st.builds(
        lambda value, headers: BadRecord(Raw(b"id", value, headers), reason), values, headers
    )


def _bad_keys() -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.just(b""),
        st.binary(max_size=20).map(lambda junk: b"\xff" + junk),
        st.integers(MAX_ID_CHARACTERS + 1, MAX_ID_CHARACTERS + 50).map(lambda long: b"k" * long),
    )


def _bad_headers() -> st.SearchStrategy[Headers]:
    """Draw headers of a valid record, one of which is missing, wrong or not UTF-8."""
    junk = st.binary(max_size=10).map(lambda more: b"\xff" + more)
    wrong = _words().map(lambda word: b"wrong " + word.encode())

    def without(name: str) -> Headers:
        return [header for header in VALID_HEADERS if header[0] != name]

    def replaced(name: str, content: bytes) -> Headers:
        return [*without(name), (name, content)]

    return st.one_of(
        st.sampled_from(CE_NAMES[:4]).map(without),
        st.builds(replaced, st.sampled_from(["ce_specversion", "ce_type", "ce_time"]), wrong),
        st.builds(replaced, st.just("content-type"), wrong),
        st.builds(replaced, st.sampled_from(CE_NAMES), junk),
        st.builds(replaced, st.sampled_from(["ce_id", "ce_source"]), st.just(b"")),
    )


def _not_json() -> st.SearchStrategy[bytes]:
    """Draw prefixes of valid JSON, other texts, and JSON that is nested too deep."""
    valid = _json(VALID)
    return st.one_of(
        st.integers(0, len(valid) - 1).map(lambda end: valid[:end]),
        st.text(max_size=40).filter(lambda text: not _is_json(text)).map(str.encode),
        st.just(TOO_DEEP),
    )


def _wrong_shapes() -> st.SearchStrategy[Any]:
    """Draw JSON that is not a document: other values and types, missing and unknown fields."""
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
    known = {"text", "label", "time"}
    return st.one_of(
        values.filter(lambda value: not isinstance(value, dict) or "text" not in value),
        no_strings.map(lambda value: VALID | {"text": value}),
        no_strings.filter(lambda value: value is not None).map(
            lambda value: VALID | {"label": value}
        ),
        values.filter(lambda value: value is not None).map(lambda value: VALID | {"time": value}),
        st.builds(
            lambda name, value: VALID | {name: value},
            st.text(max_size=20).filter(lambda name: name not in known),
            values,
        ),
    )


def _with(field: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: _json(VALID | {field: value}))


def _wrong_lengths() -> st.SearchStrategy[str]:
    longer = st.integers(MAX_LABEL_CHARACTERS + 1, MAX_LABEL_CHARACTERS + 50)
    return st.just("") | longer.map("l".__mul__)


def _words() -> st.SearchStrategy[str]:
    return st.text("abcdefghijklmnopqrstuvwxyz\u00e9\u732b", min_size=1, max_size=8)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
