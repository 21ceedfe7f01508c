"""Records that are no documents, drawn with hypothesis, each with the reason that it must get."""

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

TOGETHER = 20
"""Records drawn at once, which is quicker than one by one."""

NESTED = 10_000

TOO_DEEP = b"[" * NESTED + b"]" * NESTED

GOOD = {"text": "hockey goal", "label": "sport"}

GOOD_HEADERS = attributes("id", "chaos", datetime(2026, 1, 1, tzinfo=UTC))

CE_NAMES = ("ce_specversion", "ce_type", "ce_id", "ce_source", "ce_time", "content-type")


@dataclass(frozen=True, slots=True)
class Bad:
    """A record, and why it can't be used."""

    record: Raw
    reason: Reason


def draw(count: int, number: int) -> list[Bad]:
    """Draw records of all kinds; the same number gives the same ones."""
    drawn: list[Bad] = []
    while len(drawn) < count:
        number += 1

        @seed(number)
        @settings(
            max_examples=-(-(count - len(drawn)) // TOGETHER),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(bad(), min_size=TOGETHER, max_size=TOGETHER))
        def collect(some: list[Bad]) -> None:
            drawn.extend(some)

        collect()
    return drawn[:count]


def bad() -> st.SearchStrategy[Bad]:
    """Draw a record of some kind: each reason but the size, which would take much room."""
    return st.one_of(
        [
            st.builds(
                partial(_bad, Reason.NO_VALUE), st.binary(min_size=1, max_size=20), st.none()
            ),
            st.builds(partial(_bad, Reason.BAD_ID), _bad_keys(), st.just(_json(GOOD))),
            st.builds(_bad_id, st.text(min_size=1, max_size=20).filter(lambda id_: id_ != "id")),
            _bad_headers().map(_headed),
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


def too_large() -> Bad:
    """Return a record whose value is a byte too large."""
    empty = _json({"text": ""})
    value = _json({"text": "x" * (MAX_RECORD_BYTES + 1 - len(empty))})
    return Bad(Raw(b"large", value, []), Reason.TOO_LARGE)


def _bad(reason: Reason, key: bytes | None, value: bytes | None) -> Bad:
    return Bad(Raw(key, value, []), reason)


def _bad_id(key: str) -> Bad:
    """Make a record whose key is not its ``ce_id``."""
    return Bad(Raw(key.encode(), _json(GOOD), GOOD_HEADERS), Reason.BAD_ID)


def _headed(headers: Headers) -> Bad:
    return Bad(Raw(b"id", _json(GOOD), headers), Reason.BAD_HEADER)


def _valued(reason: Reason, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[Bad]:
    """Draw records whose value is wrong and whose headers are right, missing or of no concern."""
    names = st.sampled_from(["x-", "dl_"]).flatmap(lambda start: _words().map(start.__add__))
    other = st.tuples(names, st.binary(max_size=20))
    headers: st.SearchStrategy[Headers] = st.one_of(
        st.just([]), st.just(GOOD_HEADERS), st.lists(other, max_size=3)
    )
    return st.builds(
        lambda value, headers: Bad(Raw(b"id", value, headers), reason), values, headers
    )


def _bad_keys() -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.just(b""),
        st.binary(max_size=20).map(lambda junk: b"\xff" + junk),
        st.integers(MAX_ID_CHARACTERS + 1, MAX_ID_CHARACTERS + 50).map(lambda long: b"k" * long),
    )


def _bad_headers() -> st.SearchStrategy[Headers]:
    """Draw the headers of a good record, one of which is missing, wrong or no text."""
    junk = st.binary(max_size=10).map(lambda more: b"\xff" + more)
    wrong = _words().map(lambda word: b"wrong " + word.encode())

    def without(name: str) -> Headers:
        return [header for header in GOOD_HEADERS if header[0] != name]

    def instead(name: str, content: bytes) -> Headers:
        return [*without(name), (name, content)]

    return st.one_of(
        st.sampled_from(CE_NAMES[:4]).map(without),
        st.builds(instead, st.sampled_from(["ce_specversion", "ce_type", "ce_time"]), wrong),
        st.builds(instead, st.just("content-type"), wrong),
        st.builds(instead, st.sampled_from(CE_NAMES), junk),
        st.builds(instead, st.sampled_from(["ce_id", "ce_source"]), st.just(b"")),
    )


def _not_json() -> st.SearchStrategy[bytes]:
    """Draw the beginnings of good values, texts that are none, and one that is nested too deep."""
    good = _json(GOOD)
    return st.one_of(
        st.integers(0, len(good) - 1).map(lambda end: good[:end]),
        st.text(max_size=40).filter(lambda text: not _is_json(text)).map(str.encode),
        st.just(TOO_DEEP),
    )


def _wrong_shapes() -> st.SearchStrategy[Any]:
    """Draw JSON that is no document: other values, other types, missing and unknown fields."""
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
        no_strings.map(lambda value: GOOD | {"text": value}),
        no_strings.filter(lambda it: it is not None).map(lambda value: GOOD | {"label": value}),
        values.filter(lambda it: it is not None).map(lambda value: GOOD | {"time": value}),
        st.builds(
            lambda name, value: GOOD | {name: value},
            st.text(max_size=20).filter(lambda name: name not in known),
            values,
        ),
    )


def _with(field: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: _json(GOOD | {field: value}))


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
