"""CloudEvents that other programs wrote."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka_records import KafkaRecord, document, record, refused

from newsreel.events.errors import Reason

DATA = {"text": "card blocked", "label": "cards"}

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "9f3",
    "source": "https://example.com/desk",
    "type": "com.example.ticket.created",
    "time": "2026-01-05T12:00:00Z",
}

STRUCTURED = {"content-type": b"application/cloudevents+json; charset=UTF-8"}


@pytest.mark.parametrize(
    "headers",
    [
        {"ce_type": b"com.example.ticket.created", "ce_id": b"9f3"},
        {"ce_specversion": b"0.3", "ce_type": b"x", "ce_id": b"9f3", "ce_source": b""},
        {"ce_specversion": b"1.0", "ce_id": b"9f3", "ce_time": b"", "content-type": b"text/plain"},
        {"ce_id": b"9f3", "content-type": b"application/vnd.example+json", "ce_myext": b"\xff"},
    ],
)
def test_binary(headers: dict[str, bytes]) -> None:
    """An event of any type, version and attributes is read; its id is the document's."""
    found = document(record(DATA, b"customer-17", **headers))
    assert (found.id, found.text, found.label) == ("9f3", "card blocked", "cards")


@pytest.mark.parametrize("id_", [b"", b"\xff", b"x" * 1025])
def test_binary_without_an_id(id_: bytes) -> None:
    """Where the event's id is none, the key is the id."""
    assert document(record(DATA, b"k7", ce_id=id_, ce_type=b"x")).id == "k7"


def test_plain_text_with_json() -> None:
    """The content type does not matter: text/plain with JSON in it is JSON."""
    found = record(DATA, b"k7", **{"content-type": b"text/plain;charset=UTF-8"})
    assert document(found).label == "cards"


@pytest.mark.parametrize("headers", [{}, STRUCTURED])
@pytest.mark.parametrize(
    "data",
    [
        {"data": DATA},
        {"data": json.dumps(DATA)},
        {"data": DATA, "datacontenttype": "application/json", "dataschema": "x", "myext": 7},
        {"data_base64": base64.b64encode(json.dumps(DATA).encode()).decode()},
    ],
)
def test_structured(headers: dict[str, bytes], data: dict[str, Any]) -> None:
    """The data of an event are read, as an object, as JSON in a string, or as base64."""
    found = document(record(EVENT | data, b"customer-17", **headers))
    assert (found.id, found.text, found.label) == ("9f3", "card blocked", "cards")
    assert found.time == datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_attributes_are_places() -> None:
    """The attributes of an event can be label and time; data may be the text itself."""
    found = record(EVENT | {"data": "card blocked", "datacontenttype": "text/plain"})
    options = {"text": "value", "label": "type", "id": "source"}
    read = document(found, **options)
    assert (read.id, read.text, read.label) == (EVENT["source"], "card blocked", EVENT["type"])
    assert document(found, text="data").text == "card blocked"


def test_other_objects_with_the_names_of_attributes() -> None:
    """An object that only resembles an event is read as it is."""
    value = EVENT | DATA
    assert document(record(value, b"k7")).text == "card blocked"
    assert document(record(value | {"data": {"text": "no"}, "id": 7}, b"k7")).text == "card blocked"


def test_text_format() -> None:
    """A binary event whose data are text is read with --format text."""
    headers = [("ce_id", b"9f3"), ("ce_type", b"x"), ("label", b"cards")]
    found = document(KafkaRecord(b"card blocked", b"c1", headers), format="text")
    assert (found.id, found.text, found.label) == ("9f3", "card blocked", "cards")


@pytest.mark.parametrize(
    "kind", ["application/cloudevents-batch+json", "Application/CloudEvents-batch"]
)
def test_batch(kind: str) -> None:
    """A batch of events is refused, with advice."""
    found = record([EVENT | {"data": DATA}], **{"content-type": kind.encode()})
    assert "publish one event a record" in refused(found, Reason.WRONG_SHAPE)


@pytest.mark.parametrize(
    ("encoded", "reason", "says"),
    [
        ("!!!", Reason.WRONG_SHAPE, "data_base64: it is not base64"),
        ("é", Reason.WRONG_SHAPE, "data_base64: it is not base64"),
        ("/w==", Reason.NOT_UTF8, "byte 0 is not valid UTF-8"),
        ("aGk=", Reason.NOT_JSON, "not JSON"),
        ("", Reason.NO_VALUE, "it is empty"),
    ],
)
def test_bad_base64(encoded: str, reason: Reason, says: str) -> None:
    """Data that can't be decoded are named."""
    assert says in refused(record(EVENT | {"data_base64": encoded}), reason)


def test_event_without_data() -> None:
    """An event without data names what is there."""
    message = refused(record(EVENT, **STRUCTURED), Reason.WRONG_SHAPE)
    assert "the record has no 'text'" in message
