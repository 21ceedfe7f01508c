"""What a record has at a place, as a text, a label or an id."""

import struct
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records import fields
from consumer.records.places import Place
from newsreel.events.errors import DecodeError, Reason

BODY = Place.parse("body")


@pytest.mark.parametrize(
    ("found", "label"),
    [
        ("billing", "billing"),
        ("1.0", "1.0"),
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (1e2, "100"),
        (0.5, "0.5"),
        (10**30, "1" + "0" * 30),
        (True, "true"),
        (False, "false"),
        (Decimal("2.00"), "2"),
        (Decimal("2.5"), "2.5"),
        (date(2026, 1, 5), "2026-01-05"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (b"urgent", "urgent"),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        ("great \ud83d", "great \ufffd"),
    ],
)
def test_label(found: Any, label: str | None) -> None:
    """A label is written as JSON writes it, and a whole number without a point."""
    assert fields.label(found, BODY) == label


@pytest.mark.parametrize(
    ("found", "place", "reason", "says"),
    [
        (
            ["a", "b"],
            "tags",
            Reason.WRONG_SHAPE,
            "one label a document: name the first with tags.0",
        ),
        ([], "tags", Reason.WRONG_SHAPE, "'tags' is a list"),
        ({"id": 3}, "queue", Reason.WRONG_SHAPE, "(there are: queue.id)"),
        (b"\xff", "header:label", Reason.BAD_HEADER, "header:label: byte 0 is not valid UTF-8"),
        (b"ab\xff", "key", Reason.BAD_ID, "key: byte 2 is not valid UTF-8"),
        (b"\xff", "queue", Reason.NOT_UTF8, "queue: byte 0"),
    ],
)
def test_no_label(found: Any, place: str, reason: Reason, says: str) -> None:
    """Lists, objects and bytes are refused, with the place that would do."""
    with pytest.raises(DecodeError, match=None) as error:
        fields.label(found, Place.parse(place))
    assert error.value.reason is reason
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (404, "'body' is a number (404), not a string"),
        (10**400, "'body' is a number (1000"),
        (True, "'body' is true"),
        (["a"], "'body' is a list"),
        ({"html": "<p>", "plain": "hi", "size": 3}, "(there are: body.html, body.plain)"),
        ({}, "(there are: none)"),
    ],
)
def test_no_text(found: Any, says: str) -> None:
    """A text that is no string is refused; an object names the strings in it."""
    with pytest.raises(DecodeError) as error:
        fields.text(found, BODY)
    assert error.value.reason is Reason.WRONG_SHAPE
    assert says in str(error.value)


def test_text() -> None:
    """A text is kept as it is, but for halves of surrogate pairs."""
    assert fields.text(" a\n", BODY) == " a\n"
    assert fields.text("great \ud83d", BODY) == "great \ufffd"
    assert fields.text("\U0001f600", BODY) == "\U0001f600"
    assert fields.text("lü".encode(), BODY) == "lü"
    assert fields.text(None, BODY) is None


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b" ",
        b"\t\n",
        *(struct.pack(">q", 387 + 7919 * number) for number in range(40)),
        struct.pack(">i", 42),
        struct.pack("<q", 70_000),
        struct.pack(">d", 12.5),
        UUID("5f0c1d2e-8b1a-4f3c-9d2e-00a1b2c3d4e5").bytes,
        b"\0\0\0\0\x2acustomer",
        b"a\x00b",
        b"a\x1bb",
        "a\x85b".encode(),
        "a\uffff".encode(),
        b"\xc3\x28",
        b"k" * 1025,
    ],
)
def test_no_key(key: bytes | None) -> None:
    """Numbers in binary, UUIDs, blanks, control characters and long keys are no ids."""
    assert fields.key_as_id(key) is None


@pytest.mark.parametrize("key", ["7", "läufer/7", "k" * 1024, '{"id": 7}', " a", "猫"])
def test_key(key: str) -> None:
    """Text is an id."""
    assert fields.key_as_id(key.encode()) == key


@pytest.mark.parametrize(
    ("found", "id_"),
    [
        ("7", "7"),
        (7, "7"),
        (7.0, "7"),
        (b"7", "7"),
        ({"$oid": "65a1"}, "65a1"),
        (UUID(int=7), str(UUID(int=7))),
    ],
)
def test_id(found: Any, id_: str) -> None:
    """Strings, numbers, and the ids of MongoDB and of Avro are ids."""
    assert fields.document_id(found, BODY) == id_


@pytest.mark.parametrize(
    "found", [None, "", " ", True, [], {}, {"$oid": 7}, float("nan"), b"\xff", "k" * 1025]
)
def test_no_id(found: Any) -> None:
    """An id that is named and is not there, or can't be one, is refused."""
    with pytest.raises(DecodeError) as error:
        fields.document_id(found, BODY)
    assert error.value.reason is Reason.BAD_ID


@given(st.integers(-(10**15), 10**15))
def test_numbers_are_one_label(number: int) -> None:
    """A whole number is one label, with or without a point."""
    assert fields.label(number, BODY) == fields.label(float(number), BODY) == str(number)


@given(st.text())
def test_keys_that_are_ids_can_be_encoded(key: str) -> None:
    """An id that was taken from a key is that key."""
    encoded = key.encode("utf-8", "surrogatepass")
    id_ = fields.key_as_id(encoded)
    assert id_ is None or id_.encode() == encoded
