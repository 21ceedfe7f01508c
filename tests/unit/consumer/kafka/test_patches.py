"""Header names that are not UTF-8, which no kafka-python producer writes, are readable."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from helpers import HeaderName
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, LeaderNotAvailableError
from kafka.net.compat import KafkaNetClient
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumer.commit.writer import dead_letter_record
from consumer.kafka import patches
from consumer.kafka.source import _dead_letter
from consumer.records.config import RecordConfig
from consumer.records.reader import RecordReader
from newsreel.events.errors import DecodeError, Reason


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DefaultRecordBatch, "_read_msg", patches._read_msg)
    monkeypatch.setattr(KafkaNetClient, "await_ready", patches._await_ready)
    monkeypatch.setattr(Fetcher, "fetched_records", patches._fetched_records)
    original = patches._beginning_or_end_offset
    monkeypatch.setattr(Fetcher, "beginning_or_end_offset", original)


def batch(names: Sequence[bytes | None], compression: int = 0) -> bytes:
    """Build a batch with one record for each header name; None stands for no headers."""
    builder = DefaultRecordBatchBuilder(2, compression, False, -1, -1, -1, 1 << 20)
    for number, name in enumerate(names):
        headers = (
            [] if name is None else [(HeaderName(name), b"v"), (HeaderName("é".encode()), None)]
        )
        builder.append(number, 0, b"key \xff", b"value %d" % number, headers)
    return bytes(builder.build())


def read(data: bytes) -> list[Any]:
    return list(DefaultRecordBatch(data))


def test_without_the_patch_no_record_is_readable() -> None:
    """Without the patch, one such name makes the whole batch unreadable."""
    with pytest.raises(CorruptRecordError):
        read(batch([None, b"ce_\xff", None]))


@given(st.lists(st.none() | st.binary(max_size=5), min_size=1, max_size=4), st.sampled_from([0, 1]))
def test_any_header_name(names: list[bytes | None], compression: int) -> None:
    """A name of any bytes is read without loss, and so are all other records."""
    patches.install()
    found = read(batch(names, compression))
    assert [(record.offset, record.key, record.value) for record in found] == [
        (number, b"key \xff", b"value %d" % number) for number in range(len(names))
    ]
    for name, record in zip(names, found, strict=True):
        if name is None:
            assert record.headers == []
        else:
            (odd, value), (even, nothing) = record.headers
            assert (odd.encode("utf-8", "surrogateescape"), value) == (name, b"v")
            assert odd.encode("utf-8") == name  # as the client does
            assert (even, nothing) == ("é", None)


def test_corrupt_record() -> None:
    """A batch that is corrupt elsewhere is still refused."""
    patches.install()
    whole = batch([b"\xff"])
    with pytest.raises(CorruptRecordError):
        read(whole[:-1] + b"\x04")  # the last header has a value, and it is not there


class Record(NamedTuple):
    """A record as kafka-python returns it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


@pytest.mark.parametrize("name", [b"ce_\xff", b"other \xff", b"content-type\xc3"])
def test_dead_letter(name: bytes) -> None:
    """A name that is not UTF-8 can't be read; its dead letter can be sent."""
    patches.install()
    (found,) = read(batch([name]))
    record = Record("documents", 0, 7, None, json.dumps({"text": "good"}).encode(), found.headers)
    with pytest.raises(DecodeError) as refused:
        RecordReader.build(RecordConfig()).read(record)
    assert refused.value.reason is Reason.BAD_HEADER
    letter = _dead_letter(record, refused.value.reason, str(refused.value))
    sent = dead_letter_record("documents", letter)
    headers = {header.encode(): content for header, content in sent.about}
    assert headers[b"dl_reason"] == b"bad_header"
    assert b"not valid UTF-8" in headers[b"dl_detail"]
    assert headers[b"dl_offset"] == b"7"


def test_offsets_of_a_partition_that_loses_its_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a partition without a leader heals, as it does at other times."""

    def lost(*_: object) -> dict[object, int]:
        raise KeyError("partition 1")

    monkeypatch.setattr(patches, "_beginning_or_end_offset", lost)
    patches.install()
    with pytest.raises(LeaderNotAvailableError, match="partition 1"):
        Fetcher.beginning_or_end_offset(None, [], -2, 1000)
