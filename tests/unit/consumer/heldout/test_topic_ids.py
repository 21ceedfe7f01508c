"""Held-out documents whose ids repeat: none is lost, and none counts twice."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from kafka import TopicPartition
from kafka_records import KafkaRecord, record
from structlog.testing import capture_logs

from consumer.heldout import topic
from consumer.heldout.topic import HeldOutTopic
from consumer.records.config import RecordConfig
from consumer.records.reader import RecordReader
from newsreel.common.kafka import Connection
from newsreel.events.document import Document


class Topic:
    """Stands in for a topic of one partition and its consumer."""

    def __init__(self) -> None:
        self.records: list[KafkaRecord] = []
        self.held_back = 0
        self.id = "first"
        self._position = 0

    def append(self, found: KafkaRecord) -> None:
        self.records.append(found._replace(offset=len(self.records)))

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._position = 0

    def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, len(self.records))

    def seek_to_beginning(self, *_: TopicPartition) -> None:
        self._position = 0

    def seek(self, _: TopicPartition, position: int) -> None:
        self._position = position

    def position(self, _: TopicPartition) -> int:
        return self._position

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[KafkaRecord]]:
        found = self.records[self._position :]
        self._position = len(self.records)
        return {TopicPartition("t", 0): found}

    def close(self) -> None:
        pass


@pytest.fixture
def heldout(monkeypatch: pytest.MonkeyPatch) -> Topic:
    found = Topic()

    @contextmanager
    def admin(_: Connection) -> Iterator[None]:
        yield None

    monkeypatch.setattr(topic, "KafkaConsumer", lambda **_: found)
    monkeypatch.setattr(topic.kafka, "admin", admin)
    monkeypatch.setattr(topic.kafka, "partitions", lambda *_: [0])
    monkeypatch.setattr(topic, "topic_id", lambda *_: found.id)
    monkeypatch.setattr(topic.kafka, "count", lambda *_: len(found.records) + found.held_back)
    return found


def reader(**options: Any) -> HeldOutTopic:
    return HeldOutTopic(Connection("nowhere:1"), "t", RecordReader.build(RecordConfig(**options)))


def document(number: int, label: str | None = "a", **more: Any) -> dict[str, Any]:
    return {"text": f"text {number}", "label": label, **more}


def test_keys_that_repeat(heldout: Topic) -> None:
    """A hundred documents with five keys are a hundred; that is said once."""
    for number in range(100):
        heldout.append(record(document(number), b"c%d" % (number % 5)))
    held_out = reader()
    with capture_logs() as log:
        assert len(held_out.read()) == 100
        heldout.append(record(document(100), b"c0"))
        assert len(held_out.read()) == 101
    (warning,) = log
    assert "--id-field" in warning["event"]
    assert (warning["documents"], warning["keys"]) == (100, 5)


def test_no_ids(heldout: Topic) -> None:
    """With --id-field none each record is a document, and nothing is said."""
    for _ in range(4):
        heldout.append(record(document(0), b"c"))
    with capture_logs() as log:
        assert len(reader(id="none").read()) == 4
    assert log == []


@pytest.mark.parametrize("key", [None, b"", (387).to_bytes(8, "big"), b"\0\0\0\0\7k"])
def test_keys_that_are_no_ids(heldout: Topic, key: bytes | None) -> None:
    """Documents whose keys are no ids all count."""
    for _ in range(4):
        heldout.append(record(document(0), key))
    with capture_logs() as log:
        assert len(reader().read()) == 4
    assert log == []


def test_keys_and_texts_that_repeat(heldout: Topic) -> None:
    """Documents whose keys repeat all count, also with equal texts: nothing says they are one."""
    for label in ("a", "b", "a"):
        heldout.append(record(document(0, label), b"d0"))
    assert [each.label for each in reader().read()] == ["a", "b", "a"]


def test_published_again(heldout: Topic) -> None:
    """A document that names its id and was published again counts once, with its last label."""
    for label in ("a", "b"):
        heldout.append(record(document(0, label), ce_id=b"d0"))
        heldout.append(record(document(1, label), ce_id=b"d1"))
    with capture_logs() as log:
        found = reader().read()
    assert [(each.id, each.label) for each in found] == [("d0", "b"), ("d1", "b")]
    assert log == []


def test_ids_of_several_sources(heldout: Topic) -> None:
    """The ids of CloudEvents are unique within their source only: none collapses."""
    for number in range(20):
        heldout.append(record(document(number), ce_id=b"1", ce_source=b"/shop/%d" % number))
    assert len(reader().read()) == 20


@pytest.mark.parametrize("options", [{"id": "nr"}, {}])
def test_edited(heldout: Topic, options: dict[str, str]) -> None:
    """A document that names its id replaces itself, also with another text."""
    for number in range(3):
        content = document(number, nr=7)
        heldout.append(record(content, b"k%d" % number, ce_id=b"7"))
    with capture_logs() as log:
        assert reader(**options).read() == [Document("7", "text 2", "a")]
    assert "--id-field" in log[0]["event"]
    assert log[0]["replaced"] == 2


def test_label_taken_away(heldout: Topic) -> None:
    """A document that was published again without a label is no longer evaluated."""
    heldout.append(record(document(0), ce_id=b"d0"))
    heldout.append(record(document(0, None), ce_id=b"d0"))
    assert reader().read() == []


def test_unusable(heldout: Topic) -> None:
    """Unusable records are left out and counted in one line; tombstones are neither."""
    for value in (b"{", b"[]", None):
        heldout.append(KafkaRecord(value, b"k"))
    heldout.append(record(document(0)))
    with capture_logs() as log:
        assert len(reader().read()) == 1
    (warning,) = log
    assert warning["records"] == 2
    assert "no 'text'" in warning["last"]


def test_created_again(heldout: Topic) -> None:
    """The documents of a topic that was deleted are no longer held out."""
    for number in range(4):
        heldout.append(record(document(number), b"c"))
    held_out = reader()
    assert len(held_out.read()) == 4
    heldout.records.clear()
    heldout.append(record(document(9), b"c"))
    assert [each.text for each in held_out.read()] == ["text 9"]


def test_open_transaction(heldout: Topic) -> None:
    """Documents that an open transaction hides are left out; that is said once."""
    heldout.append(record(document(0), b"c"))
    heldout.held_back = 3
    held_out = reader()
    with capture_logs() as log:
        assert len(held_out.read()) == 1
        assert len(held_out.read()) == 1
    (warning,) = log
    assert "an open transaction holds back" in warning["event"]
    assert warning["records"] == 3


def test_another_topic_of_the_same_name(heldout: Topic) -> None:
    """Documents of a topic that was deleted are forgotten, though the new one has more."""
    heldout.append(record(document(0), b"old"))
    held_out = reader()
    held_out.read()
    heldout.id = "second"
    heldout.records.clear()
    for number in range(1, 4):
        heldout.append(record(document(number), b"%d" % number))
    assert [found.id for found in held_out.read()] == ["1", "2", "3"]
