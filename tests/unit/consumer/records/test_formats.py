"""Formats of values, and what values are that are in none of them."""

import gzip
import json
import pickle
import struct
import zlib
from io import BytesIO
from typing import Any

import fastavro
import lz4.frame
import pytest
import snappy
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.formats import Avro, Json, RegistryJson, Text, ValueFormat
from newsreel.events.errors import DecodeError, Reason
from newsreel.events.record import MAX_RECORD_BYTES

OBJECT = {"text": "café", "label": 3}

ENCODED = json.dumps(OBJECT, ensure_ascii=False).encode()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def why(value_format: ValueFormat, value: bytes, reason: Reason) -> str:
    with pytest.raises(DecodeError) as error:
        value_format.decode(value)
    assert error.value.reason is reason, str(error.value)
    return str(error.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b" \n", b"\xef\xbb\xbf\t"])
def test_json(mark: bytes) -> None:
    """JSON is read with and without a byte-order mark."""
    assert Json().decode(mark + ENCODED + b"\n") == OBJECT


@pytest.mark.parametrize("value", [b"null", b"7", b'"hi"', b"[1]", b"true", b'"[1]"', b'"{x"'])
def test_json_that_is_no_object(value: bytes) -> None:
    """Any JSON is a value."""
    assert Json().decode(value) == json.loads(value)


def test_json_in_a_string() -> None:
    """An object that was encoded twice is read as the object."""
    assert Json().decode(json.dumps(ENCODED.decode()).encode()) == OBJECT


@pytest.mark.parametrize(
    ("value", "reason", "says"),
    [
        (b"", Reason.NO_VALUE, "value: it is empty"),
        (b"the app crashes", Reason.NOT_JSON, "--format text"),
        (b"{'text': 'a'}", Reason.NOT_JSON, "Expecting property name"),
        (b'{"text": "a"', Reason.NOT_JSON, "not JSON"),
        (b'{"a": 1} {"a": 2}', Reason.NOT_JSON, "Extra data"),
        (b'{"text": "a\x01b"}', Reason.NOT_JSON, "Invalid control character"),
        (b"[" * 100_000, Reason.NOT_JSON, "nested too deeply"),
        (b'{"a":' * 100_000, Reason.NOT_JSON, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", Reason.NOT_JSON, "digits"),
        (b'{"text": "\xe9"}', Reason.NOT_UTF8, "byte 10 is not valid UTF-8: is it in another"),
        (b"{" + b" " * MAX_RECORD_BYTES + b"}", Reason.TOO_LARGE, "at most 1048576"),
        (b"<ticket>late</ticket>", Reason.NOT_JSON, "not JSON but XML or HTML"),
        ('{"text": "a"}'.encode("utf-16"), Reason.NOT_UTF8, "UTF-16"),
        ('{"text": "a"}'.encode("utf-16-le"), Reason.NOT_JSON, "UTF-16"),
        ('{"text": "a"}'.encode("utf-16-be"), Reason.NOT_JSON, "UTF-16"),
        (gzip.compress(ENCODED, mtime=0), Reason.NOT_UTF8, "compressed with gzip"),
        (zlib.compress(ENCODED), Reason.NOT_UTF8, "compressed with zlib"),
        (zstandard.compress(ENCODED), Reason.NOT_UTF8, "compressed with zstd"),
        (lz4.frame.compress(ENCODED), Reason.NOT_UTF8, "compressed with lz4"),
        (snappy.StreamCompressor().compress(ENCODED), Reason.NOT_UTF8, "compressed with snappy"),
        (b"\x82SNAPPY\0\0\0\0\1" + ENCODED, Reason.NOT_UTF8, "compressed with snappy"),
        (b"\xac\xed\0\5t\0\1a", Reason.NOT_UTF8, "serialized by Java"),
        (b"\0\0\0\0\x2a" + ENCODED, Reason.NOT_JSON, "(schema 42) and JSON; read it with --format"),
        (b"\0\0\0\0\x2a\x0ahello\x02", Reason.NOT_JSON, "--format avro --schema-registry"),
        (b"\0\0\0\0\x2a\xff", Reason.NOT_UTF8, "--format avro --schema-registry"),
        (b"\x0a\x05hello\x10\x03", Reason.NOT_JSON, "bytes of an unknown format, such as 0a 05 68"),
        (b"\xde\xad\xbe\xef", Reason.NOT_UTF8, "not valid UTF-8"),
        (b"Obj\x01\x04\x14avro.codec", Reason.NOT_JSON, "an Avro file"),
    ],
)
def test_not_json(value: bytes, reason: Reason, says: str) -> None:
    """What is not JSON is named for what it is, with the option or the change that helps."""
    message = why(Json(), value, reason)
    assert says in message
    assert len(message) < 400


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol: int) -> None:
    """Pickles of every binary protocol are named, and never loaded."""
    assert "a Python pickle" in why(Json(), pickle.dumps(OBJECT, protocol), Reason.NOT_UTF8)


def test_text() -> None:
    """A text in UTF-8 is read as it is, without a byte-order mark."""
    assert Text().decode("\ufeffthe café\n{".encode()) == "the café\n{"
    assert Text().decode(b"<b>late</b>") == "<b>late</b>"
    assert Text().decode(b"\x1b[31mred\x1b[0m \x0c") == "\x1b[31mred\x1b[0m \x0c"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("the café".encode("latin-1"), "is not valid UTF-8"),
        ("the app".encode("utf-16"), "UTF-16"),
        ("the app".encode("utf-16-le"), "UTF-16"),
        ("the app".encode("utf-16-be"), "UTF-16"),
        (b"\0\0\0\0\x2a" + ENCODED, "--format json-registry"),
        (b"\0\0\0\0\x2athe app", "the five bytes of a schema registry (schema 42)"),
        (gzip.compress(b"the app", mtime=0), "compressed with gzip"),
    ],
)
def test_not_text(value: bytes, says: str) -> None:
    """Bytes that are no text in UTF-8 are not read as one."""
    assert says in why(Text(), value, Reason.NOT_UTF8)


@pytest.mark.parametrize(
    "prefix", [struct.pack(">bI", 0, 42), struct.pack(">bQ", 0, 42), struct.pack(">bQ", 0, 1 << 31)]
)
@pytest.mark.parametrize("value", [ENCODED, b"[1]", b'{"a":{"b":[{"c":1}]}}'])
def test_json_of_a_registry(prefix: bytes, value: bytes) -> None:
    """The number of the schema has four bytes, or eight."""
    assert RegistryJson().decode(prefix + value) == json.loads(value)


@pytest.mark.parametrize("value", [b"7", b'"hi {"', b"null", b" {}"])
def test_json_of_a_registry_that_is_no_object(value: bytes) -> None:
    """Any JSON can follow the five bytes."""
    assert RegistryJson().decode(b"\0\0\0\0\x2a" + value) == json.loads(value)


@pytest.mark.parametrize(
    ("value", "reason", "says"),
    [
        (b"", Reason.NO_VALUE, "empty"),
        (b"\0\0\0", Reason.BAD_SCHEMA, "does not begin with a zero byte and the number"),
        (ENCODED, Reason.BAD_SCHEMA, "read plain JSON with --format json"),
        (b"\0" * (MAX_RECORD_BYTES + 1), Reason.TOO_LARGE, "at most"),
        (b"\0\0\0\0\x2a", Reason.NO_VALUE, "empty"),
        (b"\0\0\0\0\x2ahello", Reason.NOT_JSON, "not JSON"),
    ],
)
def test_not_json_of_a_registry(value: bytes, reason: Reason, says: str) -> None:
    """A value without the five bytes, or without JSON behind them, is refused."""
    assert says in why(RegistryJson(), value, reason)


@given(JSON, st.integers(0, 2**32 - 1))
def test_any_json(value: Any, schema: int) -> None:
    """Any JSON is read back, also behind the bytes of a registry."""
    encoded = json.dumps(value).encode()
    nested = isinstance(value, str) and value.lstrip().startswith("{")
    if not nested:
        assert Json().decode(encoded) == value
        assert RegistryJson().decode(b"\0" + schema.to_bytes(4, "big") + encoded) == value


def problem(value_format: ValueFormat, value: bytes) -> str:
    try:
        value_format.decode(value)
    except DecodeError as error:
        return str(error)
    return ""


@given(st.binary(max_size=60) | st.text().map(str.encode))
def test_any_bytes(value: bytes) -> None:
    """Any bytes are read, or refused in one line."""
    for value_format in (Json(), Text(), RegistryJson(), Avro(Schemas())):
        for bytes_ in (value, b"\0\0\0\0\1" + value, b"\0\0\0\0\x63" + value):
            message = problem(value_format, bytes_)
            assert len(message.splitlines()) <= 1
            assert len(message) < 400


TICKET = {
    "type": "record",
    "name": "Ticket",
    "fields": [
        {"name": "text", "type": ["null", "string"]},
        {"name": "label", "type": {"type": "enum", "name": "Queue", "symbols": ["cards", "apps"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "next", "type": ["null", "Ticket"], "default": None},
    ],
}


class Schemas:
    """A registry with schema 1."""

    def schema(self, number: int) -> Any:
        if number != 1:
            raise DecodeError(Reason.BAD_SCHEMA, f"no schema {number}")
        return fastavro.parse_schema(TICKET)


def avro(value: dict[str, Any]) -> bytes:
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(TICKET), value)
    return b"\0\0\0\0\1" + body.getvalue()


def test_avro() -> None:
    """A record of Avro is an object; unions and nested records are read."""
    inner = {"text": "inner", "label": "apps", "at": 0, "next": None}
    value = {"text": "late", "label": "cards", "at": 1_767_614_400_000, "next": inner}
    found = Avro(Schemas()).decode(avro(value))
    assert (found["text"], found["label"], found["next"]["text"]) == ("late", "cards", "inner")
    assert found["at"].isoformat() == "2026-01-05T12:00:00+00:00"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"\0\0\0\0\x09\x02", "no schema 9"),
        (b"\0\0\0\0\1", "not Avro of schema 1"),
        (b"\0\0\0\0\1\x02\xff\xff\xff\xff\x0f", "not Avro of schema 1"),
        (b"\0\0\0\0\1\x08", "not Avro of schema 1"),
        (avro({"text": None, "label": "cards", "at": 0}) + b"x", "1 bytes are left after Avro"),
        (ENCODED, "as avro of a schema registry does; read plain JSON with --format json"),
    ],
)
def test_not_avro(value: bytes, says: str) -> None:
    """Bytes that are not Avro of their schema are refused, also if some are left."""
    assert says in why(Avro(Schemas()), value, Reason.BAD_SCHEMA)


@given(st.integers(0, 200))
def test_avro_that_is_cut(length: int) -> None:
    """Avro that is cut off is never read as another record."""
    whole = avro({"text": "x" * 190, "label": "cards", "at": 1_767_614_400_000})
    with pytest.raises(DecodeError):
        Avro(Schemas()).decode(whole[: 5 + length][:-1])
