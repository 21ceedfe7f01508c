"""Records as bytes, such as no kafka-python producer would write them."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumer.commit.writer import dead_letter_record
from consumer.kafka.patches import _strict, read_any_header_name
from consumer.kafka.source import _dead_letter, read_document
from newsreel.events.errors import DecodeError, Reason

GZIP = 1


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DefaultRecordBatch, "_read_msg", _strict)


class Name(str):
    """A header's name, whatever its bytes are."""

    __slots__ = ("data",)

    def __new__(cls, data: bytes) -> Self:
        made = super().__new__(cls, "name")
        made.data = data
        return made

    def encode(self, *_: Any) -> bytes:
        return self.data


def batch(names: Sequence[bytes | None], compression: int = 0) -> bytes:
    """Build a batch of one record for each name; None: a record without headers."""
    builder = DefaultRecordBatchBuilder(2, compression, False, -1, -1, -1, 1 << 20)
    for number, name in enumerate(names):
        headers = [] if name is None else [(Name(name), b"v"), (Name("é".encode()), None)]
        builder.append(number, 0, b"key \xff", b"value %d" % number, headers)
    return bytes(builder.build())


def read(data: bytes) -> list[Any]:
    return list(DefaultRecordBatch(data))


def test_without_it_nothing_of_the_batch_can_be_read() -> None:
    """The tests below can fail."""
    with pytest.raises(CorruptRecordError):
        read(batch([None, b"ce_\xff", None]))


@given(st.lists(st.none() | st.binary(max_size=5), min_size=1, max_size=4), st.sampled_from([0, 1]))
def test_any_name_is_read(names: list[bytes | None], compression: int) -> None:
    """Whatever bytes a name has, it and all beside it are read, and no bytes are lost."""
    read_any_header_name()
    found = read(batch(names, compression))
    assert [(one.offset, one.key, one.value) for one in found] == [
        (number, b"key \xff", b"value %d" % number) for number in range(len(names))
    ]
    for name, one in zip(names, found, strict=True):
        if name is None:
            assert one.headers == []
        else:
            (odd, value), (even, nothing) = one.headers
            assert (odd.encode("utf-8", "surrogateescape"), value) == (name, b"v")
            assert odd.encode("utf-8") == name  # as the client does
            assert (even, nothing) == ("é", None)


def test_what_is_corrupt_stays_corrupt() -> None:
    """Only names are forgiven."""
    read_any_header_name()
    whole = batch([b"\xff"])
    with pytest.raises(CorruptRecordError):
        read(whole[:-1] + b"\x04")  # the last header has a value, and it is not there


class Record(NamedTuple):
    """What kafka-python makes of what is read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


@pytest.mark.parametrize("name", [b"ce_\xff", b"other \xff", b"content-type\xc3"])
def test_it_becomes_a_dead_letter(name: bytes) -> None:
    """A name that is no UTF-8 breaks the contract; the letter says so and can be sent."""
    read_any_header_name()
    (found,) = read(batch([name]))
    record = Record("documents", 0, 7, None, json.dumps({"text": "good"}).encode(), found.headers)
    with pytest.raises(DecodeError) as refused:
        read_document(record)
    assert refused.value.reason is Reason.BAD_HEADER
    letter = _dead_letter(record, refused.value.reason, str(refused.value))
    sent = dead_letter_record("documents.dead-letters", letter)
    headers = {header.encode(): content for header, content in sent.about}
    assert headers[b"dl_reason"] == b"bad_header"
    assert b"not valid UTF-8" in headers[b"dl_detail"]
    assert headers[b"dl_offset"] == b"7"
