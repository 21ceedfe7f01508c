"""The wire contract of documents: encoding, decoding, and one line for each broken record."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsreel.events.cloudevents import CE_TYPE, MAX_ID_CHARACTERS, Headers
from newsreel.events.document import Document, DocumentValue, decode, encode
from newsreel.events.errors import DecodeError, EncodeError, Reason
from newsreel.events.record import MAX_LABEL_CHARACTERS, MAX_RECORD_BYTES, Record

SCHEMA = Path(__file__).parents[4] / "docs" / "document.schema.json"

CLOUD_EVENT: Headers = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"42"),
    ("ce_source", b"/test"),
    ("ce_type", CE_TYPE.encode()),
]

LONGEST_MESSAGE = 500

NAMES_A_PART = re.compile(
    r"the record |(value|key|text|label|time|header .*): |.*unknown field", re.DOTALL
)

unicode = st.text(st.characters(codec="utf-8"))

minutes = st.integers(-23 * 60 - 59, 23 * 60 + 59)

offsets = minutes.map(lambda count: timezone(timedelta(minutes=count)))

documents = st.builds(
    Document,
    id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    text=unicode.filter(str.strip),
    label=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    time=st.none() | st.datetimes(timezones=offsets),
)


def read(value: bytes | None, key: bytes | None = None, headers: Headers | None = None) -> Document:
    return decode(key, value, headers or [], default_id="default")


def as_json(document: Document) -> bytes:
    """Encode a document's value as any other program would, without newsreel's code."""
    value: dict[str, Any] = {"text": document.text}
    if document.label is not None:
        value["label"] = document.label
    if document.time is not None:
        value["time"] = document.time.isoformat()
    return json.dumps(value, ensure_ascii=False).encode()


@settings(deadline=None)
@given(documents)
@example(
    Document(
        "i" * MAX_ID_CHARACTERS, "t", "l" * MAX_LABEL_CHARACTERS, datetime.min.replace(tzinfo=UTC)
    )
)
@example(Document("\n", "\u200b\x00", " ", datetime.max.replace(tzinfo=UTC)))
def test_round_trip(document: Document) -> None:
    """Decoding returns the document that was encoded, whatever its content."""
    record = encode(document, "/test")
    assert decode(record.key, record.value, record.headers, default_id="default") == document


@settings(deadline=None)
@given(documents)
def test_record_is_a_cloud_event(document: Document) -> None:
    """A record has the document's id as key and every attribute that CloudEvents requires."""
    record = encode(document, "/test")
    headers = dict(record.headers)
    assert record.key == headers["ce_id"] == document.id.encode()
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_source"] == b"/test"
    assert headers["ce_type"] == b"newsreel.document"
    assert headers["content-type"] == b"application/json"
    event_time = datetime.fromisoformat(headers["ce_time"].decode())
    assert event_time.tzinfo is not None
    assert document.time is None or event_time == document.time


@settings(deadline=None)
@given(documents)
def test_value_matches_the_published_schema(document: Document) -> None:
    """A value is valid by the published schema, without fields of unknown content."""
    value = json.loads(encode(document, "/test").value)
    jsonschema.validate(value, json.loads(SCHEMA.read_text()))
    assert None not in value.values()


def test_published_schema_is_up_to_date() -> None:
    """`docs/document.schema.json` is the output of `make schema`."""
    assert json.loads(SCHEMA.read_text()) == DocumentValue.model_json_schema()


# --- refused records ----------------------------------------------------------------------------

REFUSED: dict[Reason, list[Record]] = {
    Reason.NO_VALUE: [Record(b"1", None, [])],  # type: ignore[arg-type]
    Reason.TOO_LARGE: [Record(b"1", b" " * (MAX_RECORD_BYTES + 1), [])],
    Reason.BAD_ID: [
        Record(b"\xff", b'{"text":"a"}', []),
        Record(b"", b'{"text":"a"}', []),
        Record(b"x" * (MAX_ID_CHARACTERS + 1), b'{"text":"a"}', []),
        Record(b"41", b'{"text":"a"}', CLOUD_EVENT),
    ],
    Reason.BAD_HEADER: [
        *(
            Record(b"42", b'{"text":"a"}', [header for header in CLOUD_EVENT if header != left_out])
            for left_out in CLOUD_EVENT
        ),
        Record(b"42", b'{"text":"a"}', [("ce_specversion", b"0.3"), *CLOUD_EVENT[1:]]),
        Record(b"42", b'{"text":"a"}', [*CLOUD_EVENT[:3], ("ce_type", b"other")]),
        Record(b"42", b'{"text":"a"}', [*CLOUD_EVENT[:2], ("ce_source", b""), CLOUD_EVENT[3]]),
        Record(b"42", b'{"text":"a"}', [*CLOUD_EVENT, ("ce_subject", b"\xff")]),
        Record(b"42", b'{"text":"a"}', [*CLOUD_EVENT, ("ce_time", b"yesterday")]),
        Record(b"42", b'{"text":"a"}', [*CLOUD_EVENT, ("content-type", b"text/plain")]),
        Record(b"42", b'{"text":"a"}', [("content-type", b"application/jsonl")]),
    ],
    Reason.NOT_UTF8: [Record(b"1", b'{"text":"\xff"}', [])],
    Reason.NOT_JSON: [
        Record(b"1", value, [])
        for value in (b"", b"{", b"{'text':'a'}", b'{"text":"a"} x', b'{"text":"\\ud800"}')
    ],
    Reason.WRONG_SHAPE: [
        Record(b"1", value, [])
        for value in (
            b"[]",
            b"null",
            b"{}",
            b'{"text":null}',
            b'{"text":1}',
            b'{"text":["a"]}',
            b'{"text":"a","label":1}',
            b'{"text":"a","lable":"x"}',
            b'{"text":"a","time":0}',
            b'{"text":"a","time":"yesterday"}',
            b'{"text":"a","time":"2026-01-01"}',
            b'{"text":"a","time":"2026-01-01T00:00:00"}',
        )
    ],
    Reason.EMPTY_TEXT: [
        Record(b"1", value, []) for value in (b'{"text":""}', b'{"text":" \\n\\t"}')
    ],
    Reason.LABEL_LENGTH: [
        Record(b"1", b'{"text":"a","label":""}', []),
        Record(b"1", b'{"text":"a","label":"%s"}' % (b"x" * (MAX_LABEL_CHARACTERS + 1)), []),
    ],
}


def test_every_reason_of_decode_has_an_example() -> None:
    """Each reason but the two that only the consumer has comes with an example."""
    assert set(REFUSED) == set(Reason) - {Reason.LABEL_LIMIT, Reason.DIVERGED}


@pytest.mark.parametrize(
    ("reason", "record"), [(reason, record) for reason in REFUSED for record in REFUSED[reason]]
)
def test_refused(reason: Reason, record: Record) -> None:
    """A record that breaks the contract is refused with the right reason."""
    with pytest.raises(DecodeError) as refused:
        decode(record.key, record.value, record.headers, default_id="default")
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("record", "part"),
    [
        (Record(b"\xff", b'{"text":"a"}', []), "key"),
        (Record(b"42", b'{"text":"a"}', CLOUD_EVENT[1:]), "header ce_specversion"),
        (Record(b"42", b'{"text":"a"}', [("content-type", b"x")]), "header content-type"),
        (Record(b"42", b"{", []), "value"),
        (Record(b"42", b'{"text":1}', []), "text"),
        (Record(b"42", b'{"text":"a","label":1}', []), "label"),
        (Record(b"42", b'{"text":"a","time":1}', []), "time"),
        (Record(b"42", b'{"text":"a","lable":"x"}', []), "lable"),
    ],
)
def test_message_names_the_part(record: Record, part: str) -> None:
    """The message begins with the name of the wrong part."""
    with pytest.raises(DecodeError, match=rf"^{part}: "):
        decode(record.key, record.value, record.headers, default_id="default")


header_names = st.sampled_from(
    ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "other"]
)

header_contents = st.sampled_from([b"1.0", b"42", CE_TYPE.encode(), b"application/json"])

anything_in_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)

nearly_values = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text() | anything_in_json,
        "label": st.text() | anything_in_json,
        "time": st.datetimes(timezones=st.none() | offsets).map(str) | anything_in_json,
    },
)


@settings(deadline=None)
@given(
    key=st.none() | st.just(b"42") | st.binary(),
    value=st.none()
    | st.binary()
    | nearly_values.map(lambda value: json.dumps(value).encode())
    | anything_in_json.map(lambda value: json.dumps(value).encode()),
    headers=st.lists(
        st.tuples(
            header_names | st.text(st.characters(codec="utf-8")).map("ce_".__add__),
            header_contents | st.none() | st.binary(),
        )
    )
    | st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.none() | st.binary())).map(
        lambda more: [*CLOUD_EVENT, *more]
    ),
)
@example(key=None, value=b'{"text":"a","x\\ny":1}', headers=[])
@example(key=None, value=b'{"text":"a","\\u2028":1}', headers=[])
@example(key=None, value=b'{"text":"a"}', headers=[("ce_x\ny", b"\xff")])
@example(key=None, value=b'{"text":"a"}', headers=[("content-type", b"x" * 10_000)])
@example(key=None, value=b'{"text":"a"}', headers=[("ce_specversion", b"x" * 10_000)])
@example(key=None, value=b'{"text":' + b"[" * 10_000, headers=[])
def test_hostile_records(key: bytes | None, value: bytes | None, headers: Headers) -> None:
    """Any record gives a valid document or a DecodeError with one short line as message."""
    try:
        document = decode(key, value, headers, default_id="default")
    except DecodeError as error:
        refused = error
    else:
        assert document.text.strip()
        again = encode(document, "/test")
        assert decode(again.key, again.value, again.headers, default_id="") == document
        return
    assert isinstance(refused.reason, Reason)
    assert len(str(refused).splitlines()) == 1
    assert len(str(refused)) <= LONGEST_MESSAGE
    assert NAMES_A_PART.match(str(refused))


@pytest.mark.parametrize("time", ["0", "1493979010.5", "-1"])
def test_time_is_rfc_3339_only(time: str) -> None:
    """Seconds since 1970 are refused as time, as a string and as a number."""
    with pytest.raises(DecodeError, match="time"):
        read(json.dumps({"text": "a", "time": time}).encode())


# --- accepted records ---------------------------------------------------------------------------


def test_plain_json_is_enough() -> None:
    """A record needs neither headers nor a key: any program that writes JSON can feed newsreel."""
    assert read(b'{"text":"hello"}') == Document("default", "hello")
    assert read(b'{"text":"hello","label":null,"time":null}') == Document("default", "hello")


@pytest.mark.parametrize(
    ("key", "headers", "expected"),
    [
        (None, [], "default"),
        (b"7", [], "7"),
        (None, CLOUD_EVENT, "42"),
        (b"42", CLOUD_EVENT, "42"),
        (b"7", [("other", b"\xff"), ("Ce_Id", None), ("x" * 5000, b"")], "7"),
        (b"7", [("content-type", b"Application/JSON; charset=utf-8")], "7"),
        (b"42", [*CLOUD_EVENT, ("ce_traceparent", "ü".encode())], "42"),
    ],
)
def test_identity(key: bytes | None, headers: Headers, expected: str) -> None:
    """A document's id is the CloudEvents id, or the key, or the default, in this order."""
    assert read(b'{"text":"a"}', key, headers).id == expected


def test_largest_value_is_accepted() -> None:
    """A value may be exactly as large as the limit."""
    frame = len(b'{"text":""}')
    value = b'{"text":"%s"}' % (b"x" * (MAX_RECORD_BYTES - frame))
    assert len(read(value).text) == MAX_RECORD_BYTES - frame
    with pytest.raises(DecodeError, match=f"at most {MAX_RECORD_BYTES}"):
        read(value + b" ")


# --- encode -------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    id_=st.text(st.characters(codec="utf-8"), max_size=5) | st.just("x" * (MAX_ID_CHARACTERS + 1)),
    text=unicode | st.sampled_from(["", " ", "\n\u3000"]),
    label=st.none()
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.just("x" * (MAX_LABEL_CHARACTERS + 1)),
    time=st.none() | st.datetimes(timezones=st.none() | offsets),
)
@example(id_="1", text="x" * MAX_RECORD_BYTES, label=None, time=None)
def test_encode_refuses_what_decode_refuses(
    id_: str, text: str, label: str | None, time: datetime | None
) -> None:
    """The encoder refuses exactly the documents that the decoder would refuse."""
    document = Document(id_, text, label, time)
    try:
        read(as_json(document), id_.encode())
    except DecodeError:
        with pytest.raises(EncodeError) as refused:
            encode(document, "/test")
        assert len(str(refused.value).splitlines()) == 1
        assert repr(id_) in str(refused.value)
    else:
        encode(document, "/test")


@pytest.mark.parametrize(
    ("document", "source"),
    [
        (Document("\ud800", "t"), "/test"),
        (Document("1", "\ud800"), "/test"),
        (Document("1", "t", "\ud800"), "/test"),
        (Document("1", "t"), "\ud800"),
        (Document("1", "t"), ""),
    ],
)
def test_encode_refuses_surrogates(document: Document, source: str) -> None:
    """The encoder refuses half of a surrogate pair, and an empty source."""
    with pytest.raises(EncodeError):
        encode(document, source)


def test_offset_with_seconds() -> None:
    """A time with an offset that RFC 3339 lacks is refused or converted, but never changed."""
    amsterdam = timezone(timedelta(minutes=19, seconds=32))  # until 1937
    document = Document("1", "t", None, datetime(1930, 1, 1, tzinfo=amsterdam))
    try:
        record = encode(document, "/test")
    except EncodeError:
        return
    assert decode(record.key, record.value, record.headers, default_id="") == document


@pytest.mark.parametrize(
    "time",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_first_and_last_time(time: datetime) -> None:
    """A time that the decoder accepts can be encoded, also at the ends of the calendar."""
    document = Document("1", "t", None, time)
    assert read(as_json(document), b"1") == document
    assert read(encode(document, "/test").value, b"1") == document
