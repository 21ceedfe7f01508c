"""The wire contract of documents: what is written can be read back."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumer.records.config import RecordConfig
from consumer.records.reader import RecordReader
from newsreel.events.cloudevents import MAX_ID_CHARACTERS, Headers
from newsreel.events.document import Document, DocumentValue, encode
from newsreel.events.errors import EncodeError
from newsreel.events.label_text import normalized
from newsreel.events.record import MAX_LABEL_CHARACTERS, MAX_RECORD_BYTES

SCHEMA = Path(__file__).parents[4] / "docs" / "document.schema.json"

READER = RecordReader.build(RecordConfig())


class Read(NamedTuple):
    """A record as kafka-python returns it."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    topic: str = "documents"
    partition: int = 0
    offset: int = 0


unicode = st.text(st.characters(codec="utf-8"))

minutes = st.integers(-23 * 60 - 59, 23 * 60 + 59)

offsets = minutes.map(lambda count: timezone(timedelta(minutes=count)))

documents = st.builds(
    Document,
    id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    text=unicode.filter(str.strip),
    label=st.none()
    | st.text(st.characters(codec="utf-8"), max_size=40).map(normalized).filter(bool),
    time=st.none() | st.datetimes(timezones=offsets),
)


def read(value: bytes, key: bytes, headers: Headers = []) -> Document:  # noqa: B006
    document = READER.read(Read(key, value, headers)).document
    assert document is not None
    return document


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
@example(Document("\n", "\u200b\x00", "a b", datetime.max.replace(tzinfo=UTC)))
def test_round_trip(document: Document) -> None:
    """Decoding returns the document that was encoded, whatever its content."""
    record = encode(document, "/test")
    assert read(record.value, record.key, record.headers) == document


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


@pytest.mark.parametrize(
    "document",
    [
        Document("", "t"),
        Document("x" * (MAX_ID_CHARACTERS + 1), "t"),
        Document("1", ""),
        Document("1", "\n\u3000"),
        Document("1", "x" * MAX_RECORD_BYTES),
        Document("1", "t", ""),
        Document("1", "t", " "),
        Document("1", "t", "x" * (MAX_LABEL_CHARACTERS + 1)),
        Document("1", "t", None, datetime(2026, 1, 1)),  # noqa: DTZ001 - without an offset
    ],
    ids=lambda document: repr(document)[:40],
)
def test_encode_refuses_what_cannot_be_read(document: Document) -> None:
    """The encoder refuses, in one line, what would be a dead letter or lose its label."""
    with pytest.raises(EncodeError) as refused:
        encode(document, "/test")
    assert len(str(refused.value).splitlines()) == 1
    assert repr(document.id) in str(refused.value)


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
    assert read(record.value, record.key, record.headers) == document


@pytest.mark.parametrize(
    "time",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_first_and_last_time(time: datetime) -> None:
    """A time that can be read can be encoded, also at the ends of the calendar."""
    document = Document("1", "t", None, time)
    assert read(as_json(document), b"1") == document
    assert read(encode(document, "/test").value, b"1") == document
