"""Records that leave the consumer: their content, and none published twice."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from loops import build_loop, numbered, read, with_batch

from consumer.commit.writer import OutputWriter, dead_letter_record, drift_record, prediction_record
from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import LabelProbability, Prediction
from consumer.kafka.batch import DeadLetter, Origin
from consumer.kafka.outbox import Outbox, Outgoing, TransactionalDelivery
from consumer.loop.step import DriftStatus
from consumer.monitoring.progress import Progress
from newsreel.events.document import Document
from newsreel.events.errors import Reason
from newsreel.events.topics import Names

NAMES = Names.of("news", dead_letters="ops.letters")

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def prediction(**options: Any) -> Outgoing:
    prediction = Prediction(
        Document("läufer/7", "text", "sport"),
        LabelProbability("space", 0.625, 0.25),
        top=[("space", 0.625), ("sport", 0.25)],
    )
    options = {
        "group": "readers",
        "checkpoint": "01-a",
        "step": 5,
        "now": NOON,
    } | options
    return prediction_record(NAMES, prediction=prediction, origin=Origin(2, 77), **options)


def test_prediction() -> None:
    """A prediction's record names the document, the model version and the true label."""
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


def test_prediction_before_any_label() -> None:
    """Before a label is known, label, truth and checkpoint are null."""
    unknown = Prediction(Document("1", "text"), LabelProbability(None, 0.0, 0.0))
    record = prediction_record(NAMES, "readers", unknown, Origin(0, 0), None, 0)
    value = json.loads(record.value or b"")
    assert (value["label"], value["truth"], value["checkpoint"]) == (None, None, None)
    assert value["probabilities"] == {}
    assert datetime.fromisoformat(value["time"]).tzinfo is not None


def letter(**fields: Any) -> DeadLetter:
    defaults: dict[str, Any] = {"key": b"\xff", "value": b"{"}
    defaults |= {"headers": [("a", b"1"), ("b", None)], "partition": 3, "offset": 9}
    return DeadLetter(topic="news", reason=Reason.NOT_JSON, detail="value: é", **defaults | fields)


def test_drift() -> None:
    """A drift's record names the change, the stream and the group."""
    drift = Drift("error", 5056, 5007, 0.0625, 0.5, ["läufer"])
    record = drift_record(NAMES, "readers", drift, NOON)
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


def test_dead_letter() -> None:
    """A dead letter is the original record with headers for its reason and place."""
    record = dead_letter_record("ops.letters", letter())
    assert (record.topic, record.key, record.value) == ("ops.letters", b"\xff", b"{")
    assert record.headers == [("a", b"1"), ("b", b"")]  # the client can't write null
    assert record.about == [
        ("dl_reason", b"not_json"),
        ("dl_detail", "value: é".encode()),
        ("dl_topic", b"news"),
        ("dl_partition", b"3"),
        ("dl_offset", b"9"),
    ]


@pytest.mark.parametrize("name", ["ce_\udcff", "ü", "\udc80"])
def test_dead_letter_with_any_header_name(name: str) -> None:
    """A dead letter can be sent with any header names, and different names stay different."""
    headers = dead_letter_record("t", letter(headers=[(name, b"1"), ("plain", b"2")])).headers
    assert [content for _, content in headers[:2]] == [b"1", b"2"]
    assert all(name.encode() for name, _ in headers)


def test_records_of_a_step() -> None:
    """Each document gets one prediction, unless an earlier run has published it."""
    letters = [letter(partition=0, offset=1), letter(partition=0, offset=9)]
    steps = read(build_loop(batch_size=4), numbered("abab"), dead_letters=letters)
    progress = Progress()
    progress.checkpoint = "01-a"
    outbox = Outbox(TransactionalDelivery())
    writer = OutputWriter(NAMES, "readers", outbox, progress, published={0: 2, 1: 8})
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
    for positions, published in (({0: 2}, False), ({0: 3}, True)):
        outbox = Outbox(TransactionalDelivery())
        writer = OutputWriter(NAMES, "readers", outbox, progress, published={0: 2})
        step = replace(steps[0], drift=DriftStatus([drift], 1.0, {}))
        writer.write(with_batch(step, positions=positions))
        assert ("news.drift" in {record.topic for record, _ in outbox.waiting()}) == published
    (dead,) = [record for record in sent if record.topic == "ops.letters"]
    assert ("dl_offset", b"9") in dead.about
