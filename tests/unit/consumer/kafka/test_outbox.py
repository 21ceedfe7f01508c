"""What leaves the consumer: its shape, and that nothing is lost or sent twice."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from loops import build_loop, numbered, read, with_batch

from consumer.commit.writer import OutputWriter, dead_letter_record, drift_record, prediction_record
from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import LabelProbability, Prediction
from consumer.kafka.batch import DeadLetter, Origin
from consumer.kafka.outbox import RECORD_BYTES, Outbox, Outgoing, TransactionalDelivery, send
from consumer.loop.step import DriftStatus
from consumer.monitoring.progress import Progress
from newsreel.events.document import Document
from newsreel.events.errors import Reason

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def prediction(**how: Any) -> Outgoing:
    said = Prediction(
        Document("läufer/7", "text", "sport"),
        LabelProbability("space", 0.625, 0.25),
        top=[("space", 0.625), ("sport", 0.25)],
    )
    options = {
        "documents": "news",
        "group": "readers",
        "checkpoint": "01-a",
        "step": 5,
        "now": NOON,
    } | how
    return prediction_record("news.predictions", said, Origin(2, 77), **options)


def test_a_prediction() -> None:
    """Its record says of what it is, by which model, and what was right."""
    record = prediction()
    assert (record.topic, record.key) == ("news.predictions", "läufer/7".encode())
    assert record.headers == [("content-type", b"application/json")]
    assert json.loads(record.value or b"") == {
        "id": "läufer/7",
        "label": "space",
        "probabilities": {"space": 0.625, "sport": 0.25},
        "truth": "sport",
        "topic": "news",
        "partition": 2,
        "offset": 77,
        "group": "readers",
        "checkpoint": "01-a",
        "step": 5,
        "time": "2026-01-02T12:00:00+00:00",
    }


def test_a_prediction_of_one_who_knows_nothing() -> None:
    """What is not known is null."""
    said = Prediction(Document("1", "text"), LabelProbability(None, 0.0, 0.0))
    record = prediction_record("news.predictions", said, Origin(0, 0), "news", "readers", None, 0)
    value = json.loads(record.value or b"")
    assert (value["label"], value["truth"], value["checkpoint"]) == (None, None, None)
    assert value["probabilities"] == {}
    assert datetime.fromisoformat(value["time"]).tzinfo is not None


def letter(**how: Any) -> DeadLetter:
    what: dict[str, Any] = {"key": b"\xff", "value": b"{", "headers": [("a", b"1"), ("b", None)]}
    what |= {"partition": 3, "offset": 9} | how
    return DeadLetter(topic="news", reason=Reason.NOT_JSON, detail="value: é", **what)


def test_a_drift() -> None:
    """Its record says what was noticed, in which stream and by whose model."""
    drift = Drift("error", 5056, 5007, 0.0625, 0.5, ["läufer"])
    record = drift_record("news.drift", drift, "news", "readers", NOON)
    assert (record.topic, record.key) == ("news.drift", b"error")
    assert json.loads(record.value or b"") == {
        "detector": "error",
        "documents": 5056,
        "since": 5007,
        "before": 0.0625,
        "after": 0.5,
        "forgotten": ["läufer"],
        "topic": "news",
        "group": "readers",
        "time": "2026-01-02T12:00:00+00:00",
    }


def test_a_dead_letter() -> None:
    """The record as it was, and in further headers why and where."""
    record = dead_letter_record("news.dead-letters", letter())
    assert (record.topic, record.key, record.value) == ("news.dead-letters", b"\xff", b"{")
    assert record.headers == [("a", b"1"), ("b", b"")]  # the client can't write null
    assert record.about == [
        ("dl_reason", b"not_json"),
        ("dl_detail", "value: é".encode()),
        ("dl_topic", b"news"),
        ("dl_partition", b"3"),
        ("dl_offset", b"9"),
    ]


@pytest.mark.parametrize("name", ["ce_\udcff", "ü", "\udc80"])
def test_a_dead_letter_with_any_header(name: str) -> None:
    """Whatever the names of its headers are, it can be sent, and names stay apart."""
    headers = dead_letter_record("t", letter(headers=[(name, b"1"), ("plain", b"2")])).headers
    assert [content for _, content in headers[:2]] == [b"1", b"2"]
    assert all(name.encode() for name, _ in headers)


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"k", None), (None, b"v")])
def test_a_dead_letter_of_little(key: bytes | None, value: bytes | None) -> None:
    """The client takes no record without key and value; else what was missing stays missing."""
    record = dead_letter_record("t", letter(key=key, value=value))
    producer = Mock()
    send(producer, record)
    sent = producer.send.call_args.kwargs
    assert sent["key"] == key
    assert sent["value"] == (b"" if key is None and value is None else value)


# --- the outbox ---------------------------------------------------------------------------------


class Delivery:
    def __init__(self, *, succeeded: bool) -> None:
        self._succeeded = succeeded

    def succeeded(self) -> bool:
        return self._succeeded


class Flaky:
    """Sends at once: some records arrive, some fail, some find no room."""

    def __init__(self) -> None:
        self.flushed = 0
        self.outcomes: list[bool | None] = []

    def send(self, record: Outgoing) -> Delivery | None:
        outcome = self.outcomes.pop(0)
        return None if outcome is None else Delivery(succeeded=outcome)

    def flush(self) -> None:
        self.flushed += 1

    def close(self) -> None: ...


def records(count: int) -> list[Outgoing]:
    return [Outgoing("t", b"k", b"%d" % number, []) for number in range(count)]


def test_all_of_it_waits_for_the_commit() -> None:
    """With exactly-once nothing leaves before the transaction, which takes all in order."""
    outbox = Outbox(TransactionalDelivery())
    outbox.put(records(3))
    waiting = outbox.waiting()
    outbox.put(records(1))
    assert outbox.undelivered(waiting) == records(3)
    assert outbox.size == 4 * (RECORD_BYTES + 2)
    outbox.drop(len(waiting))
    assert [record for record, _ in outbox.waiting()] == records(1)
    outbox.drop(1)
    assert (outbox.waiting(), outbox.size) == ([], 0)


def test_what_was_not_delivered_goes_with_the_commit() -> None:
    """With at-least-once the transaction takes along what failed or was never sent."""
    flaky = Flaky()
    flaky.outcomes = [True, False, None, True]
    outbox = Outbox(flaky)
    outbox.put(records(4))
    assert outbox.undelivered(outbox.waiting()) == records(4)[1:3]
    assert flaky.flushed == 1


# --- the writer ---------------------------------------------------------------------------------


def test_what_a_step_brings() -> None:
    """Each document has one prediction with its place; what an earlier life published has none."""
    letters = [letter(partition=0, offset=1), letter(partition=0, offset=9)]
    steps = read(build_loop(batch_size=4), numbered("abab"), dead_letters=letters)
    progress = Progress()
    progress.checkpoint = "01-a"
    outbox = Outbox(TransactionalDelivery())
    writer = OutputWriter("news", "readers", outbox, progress, behind={0: 2, 1: 8})
    for step in steps:
        writer.write(step)
    sent = [record for record, _ in outbox.waiting()]
    values = [json.loads(x.value or b"") for x in sent if x.topic == "news.predictions"]
    assert [(x["id"], x["topic"], x["offset"]) for x in values] == [
        ("2", "news", 2),
        ("3", "news", 3),
    ]
    assert {(x["checkpoint"], x["step"]) for x in values} == {("01-a", 0)}
    drift = Drift("error", 5, 3)
    for positions, told in (({0: 2}, False), ({0: 3}, True)):
        outbox = Outbox(TransactionalDelivery())
        writer = OutputWriter("news", "readers", outbox, progress, behind={0: 2})
        writer.write(
            with_batch(replace(steps[0], drift=DriftStatus([drift], 1.0, {})), positions=positions)
        )
        assert ("news.drift" in {record.topic for record, _ in outbox.waiting()}) == told
    (dead,) = [record for record in sent if record.topic == "news.dead-letters"]
    assert ("dl_offset", b"9") in dead.about
