"""Labels on a separate topic are joined with their documents and learned exactly once."""

import csv
import json
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import safetensors.torch
import structlog
import torch
from helpers import Learn, Run, Start, documents
from kafka import KafkaProducer
from kafka.errors import TopicAlreadyExistsError

from consumer.loop.labelling import PendingDocumentsError
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events import label as wire
from newsreel.events.document import Document, encode
from newsreel.events.label import Label
from newsreel.events.topics import Names

BEGIN_MS = round(time.time() * 1000) - 60_000
"""First timestamp: recent, as brokers delete old records."""

COUNT = 480

DELAY = 40


def events(count: int) -> list[tuple[int, Document | Label]]:
    """Return a document each ten milliseconds, and later labels of most of them."""
    random = Random(0)
    found: list[tuple[int, Document | Label]] = []
    for number, document in enumerate(documents(count)):
        found.append((10 * number, replace(document, label=None)))
        if number % 10 and document.label is not None:
            due = 10 * number + round(10 * random.expovariate(1 / DELAY)) + 1
            found.append((due, Label(document.id, document.label)))
    return sorted(found, key=lambda pair: pair[0])


Clock = Callable[[int], int]

ANY_TIME = {"retention.ms": "-1", "message.timestamp.after.max.ms": str(2**63 - 1)}
"""Settings of a topic with which a broker neither deletes records of 1970 nor refuses those of the
far future."""

CLOCKS: dict[str, Clock] = {
    "right": lambda ms: ms,
    "missing": lambda _: -1,
    "seconds": lambda ms: ms // 1000,
    "microseconds": lambda ms: ms * 1000,
    "a minute fast": lambda ms: ms + 60_000,
    "a minute slow": lambda ms: ms - 60_000,
    "loaded later": lambda _: BEGIN_MS + 60_000,
}


def publish(
    connection: Connection,
    topic: str,
    timed_events: Iterable[tuple[int, Document | Label]],
    documents_clock: Clock = CLOCKS["right"],
    labels_clock: Clock = CLOCKS["right"],
) -> None:
    """Write each record with its timestamp, as the clocks tell the time."""
    with kafka.admin(connection) as admin:
        wanted = {"num_partitions": 1, "replication_factor": -1, "configs": ANY_TIME}
        for name in (topic, Names.of(topic).labels):
            with suppress(TopicAlreadyExistsError):  # a test may publish twice
                admin.create_topics({name: wanted})
    producer = KafkaProducer(**connection.options)
    sent = []
    for milliseconds, event in timed_events:
        late = isinstance(event, Label)
        clock = labels_clock if late else documents_clock
        record = wire.encode(event, "tests") if isinstance(event, Label) else encode(event, "tests")
        sent.append(
            producer.send(
                Names.of(topic).labels if late else topic,
                key=record.key,
                value=record.value,
                headers=record.headers,
                timestamp_ms=clock(BEGIN_MS + milliseconds),
            )
        )
    for delivery in sent:
        delivery.get(timeout=30)
    producer.close()


def checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    newest = max(folder.glob("0*"))
    state = json.loads((newest / "state.json").read_text())
    return state, safetensors.torch.load_file(newest / "tensors.safetensors")


def test_resume_after_kills(
    connection: Connection, consumer: Start, learn: Learn, topic: str, tmp_path: Path
) -> None:
    """Pending documents survive SIGKILL; the result equals an uninterrupted run."""
    timed_events = events(COUNT)
    publish(connection, topic, timed_events)
    whole, killed = tmp_path / "whole", tmp_path / "checkpoints"
    options = ("--late-labels", "--checkpoint-every", 48)
    summary = learn(
        *(topic, *options, "--stop-when-idle", 3),
        *("--checkpoint-dir", whole, "--group", f"{topic}-whole"),
    )
    labelled = sum(isinstance(event, Label) for _, event in timed_events)
    assert summary["documents"] == summary["unlabelled_documents"] == COUNT
    assert summary["learned_documents"] == labelled
    assert summary["pending_documents"] == COUNT - labelled
    assert summary["prequential_accuracy"] > 0.7
    for done in (100, 250):
        with consumer(topic, *options) as running:
            running.wait_for(lambda done=done: running.progress()["documents"] >= done)
            running.end(signal.SIGKILL)
    summary = learn(topic, *options, "--stop-when-idle", 3)
    assert summary["documents"] == COUNT
    assert summary["learned_documents"] == labelled
    assert summary["pending_documents"] == COUNT - labelled
    (state, tensors), (expected, expected_tensors) = checkpoint(killed), checkpoint(whole)
    assert len(expected["waiting"]["documents"]) == COUNT - labelled
    assert expected["waiting"]["positions"] == {"0": labelled}
    for part in (
        "learner",
        "replay",
        "labels",
        "micro_batch",
        "evaluator",
        "waiting",
        "adaptation",
    ):
        assert state[part] == expected[part], part
    assert tensors.keys() == expected_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, expected_tensors[name]), name


@pytest.mark.parametrize(
    ("documents_clock", "labels_clock"),
    [
        *(("right", clock) for clock in sorted(set(CLOCKS) - {"right"})),
        ("missing", "right"),
        ("missing", "missing"),
        ("microseconds", "seconds"),
    ],
)
def test_any_clock(
    connection: Connection, learn: Learn, topic: str, documents_clock: str, labels_clock: str
) -> None:
    """All labels of a backlog are joined, whatever the timestamps; more documents than can wait."""
    timed_events = events(COUNT)
    publish(connection, topic, timed_events, CLOCKS[documents_clock], CLOCKS[labels_clock])
    options = ("--learner", "bayes", "--late-labels", "--pending-capacity", 400)
    with structlog.testing.capture_logs() as log:
        summary = learn(topic, *options, "--stop-when-idle", 3)
    labelled = sum(isinstance(event, Label) for _, event in timed_events)
    assert summary["documents"] == COUNT
    assert summary["learned_documents"] == labelled
    assert not [line for line in log if "labels orphaned" in line["event"]]


def test_resume_with_any_clock(
    connection: Connection, consumer: Start, learn: Learn, topic: str, tmp_path: Path
) -> None:
    """Labels that wait for documents survive SIGKILL; the result equals an uninterrupted run."""
    timed_events = events(COUNT)
    timed_events += [(0, Label(f"other-{number}", "others")) for number in range(50)]
    publish(connection, topic, timed_events, labels_clock=CLOCKS["a minute slow"])
    options = ("--learner", "bayes", "--late-labels", "--pending-capacity", 400)
    whole, killed = tmp_path / "whole", tmp_path / "checkpoints"
    often = ("--checkpoint-every", 24)
    expected_summary = learn(
        *(topic, *options, *often, "--stop-when-idle", 3),
        *("--checkpoint-dir", whole, "--group", f"{topic}-whole"),
    )
    for done in (60, 200):
        with consumer(topic, *options, *often) as running:
            running.wait_for(lambda done=done: running.progress()["documents"] >= done)
            running.end(signal.SIGKILL)
    summary = learn(topic, *options, *often, "--stop-when-idle", 3)
    labelled = sum(isinstance(event, Label) for _, event in timed_events) - 50
    assert summary["learned_documents"] == expected_summary["learned_documents"] == labelled
    (state, tensors), (expected, expected_tensors) = checkpoint(killed), checkpoint(whole)
    assert len(expected["waiting"]["early"]) == 50
    for part in ("learner", "replay", "labels", "micro_batch", "evaluator", "waiting"):
        assert state[part] == expected[part], part
    assert tensors.keys() == expected_tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, expected_tensors[name]), name


def test_from_latest_before_the_first_checkpoint(
    connection: Connection, consumer: Start, learn: Learn, topic: str
) -> None:
    """A group that is killed before its first checkpoint reads the labels written meanwhile."""
    publish(connection, topic, [(0, replace(each, label=None)) for each in documents(4)])
    options = ("--learner", "bayes", "--late-labels", "--from", "latest")
    with consumer(topic, *options, "--checkpoint-seconds", 600) as running:
        running.wait_for(lambda: "learning" in running.log)
        new = documents(8, start=16)
        publish(connection, topic, [(50, replace(each, label=None)) for each in new])
        running.wait_for(lambda: running.progress()["documents"] == 8)
        running.end(signal.SIGKILL)
    publish(connection, topic, [(90, Label(each.id, str(each.label))) for each in new])
    summary = learn(topic, *options, "--stop-when-idle", 3)
    assert summary["learned_documents"] == summary["documents"] == 8


def test_labels_without_documents(connection: Connection, learn: Learn, topic: str) -> None:
    """Labels with other ids than the documents are counted, and the log says which option helps."""
    timed: list[tuple[int, Document | Label]] = [
        (0, replace(document, label=None)) for document in documents(8)
    ]
    timed += [(1, Label(f"ticket-{number}", "a")) for number in range(12)]
    publish(connection, topic, timed)
    options = ("--learner", "bayes", "--late-labels", "--pending-capacity", 8)
    with structlog.testing.capture_logs() as log:
        summary = learn(topic, *options, "--stop-when-idle", 3)
    assert summary["learned_documents"] == 0
    orphaned, waiting = (line for line in log if "--id-field" in line["event"])
    assert (orphaned["labels"], orphaned["topic"]) == (4, f"{topic}.labels")
    assert waiting["labels"] == 8


def test_labels_in_a_live_stream(connection: Connection, consumer: Start, topic: str) -> None:
    """In a live stream, a document is predicted at arrival and learned when its label arrives."""
    first, second = documents(16), documents(16, start=16)
    publish(connection, topic, [(0, replace(document, label=None)) for document in first])
    with consumer(topic, "--late-labels") as running:
        running.wait_for(lambda: running.progress()["documents"] == 16)
        assert running.progress()["learned"] == 0
        publish(
            connection,
            topic,
            [(500, Label(document.id, str(document.label))) for document in first],
        )
        running.wait_for(lambda: running.progress()["learned"] == 16)
        publish(connection, topic, [(900, replace(document, label=None)) for document in second])
        running.wait_for(lambda: running.progress()["documents"] == 32)
        shown = running.get("/metrics")
    assert 'newsreel_late_labels_total{fate="joined"} 16.0' in shown
    assert "newsreel_pending_documents 16.0" in shown
    assert "newsreel_label_delay_seconds_sum 8.0" in shown


def test_unusable_labels(connection: Connection, learn: Learn, topic: str) -> None:
    """Unusable labels become dead letters, tombstones are skipped; usable labels are learned."""
    first, second = documents(2)
    publish(connection, topic, [(0, replace(first, label=None)), (5, Label(first.id, "a"))])
    producer = KafkaProducer(**connection.options)
    for value in (b"{", b'{"label": ""}', b'{"text": "x"}', None):
        producer.send(Names.of(topic).labels, key=second.id.encode(), value=value)
    producer.send(Names.of(topic).labels, value=b'{"label": "a"}')  # without the id of a document
    producer.close()
    summary = learn(topic, "--late-labels", "--stop-when-idle", 3)
    assert summary["learned_documents"] == 1
    assert summary["dead_letters"] == 4


def test_from_the_producer(run: Run, learn: Learn, topic: str, tmp_path: Path) -> None:
    """Documents and delayed labels of the producer are joined by the consumer."""
    table = tmp_path / "table.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows([document.text, document.label] for document in documents(200))
    scenario = ("--scenario", "delayed-labels:mean=20:missing=0.2")
    published = run("producer", "--corpus", table, "--topic", topic, *scenario)
    assert published.returncode == 0, published.stderr
    options = ("--learner", "bayes", "--late-labels")
    summary = learn(topic, *options, "--stop-when-idle", 3)
    assert summary["documents"] == 200
    assert 140 < summary["learned_documents"] < 180
    assert summary["prequential_accuracy"] > 0.7
    with pytest.raises(PendingDocumentsError, match="--late-labels"):
        learn(topic, "--learner", "bayes", "--stop-when-idle", 3)


def test_missing_labels_are_reported(connection: Connection, learn: Learn, topic: str) -> None:
    """If no document has a label, one warning names the topic of labels and the option."""
    publish(connection, topic, [(0, replace(document, label=None)) for document in documents(250)])
    with structlog.testing.capture_logs() as entries:
        summary = learn(topic, "--learner", "bayes", "--stop-when-idle", 3)
    assert summary["unlabelled_documents"] == 250
    (warning,) = [entry for entry in entries if "--late-labels" in entry["event"]]
    assert warning["topic"] == f"{topic}.labels"
