"""The consumer learns from a real topic, with a small transformer."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers import Learn, Publish, Run, Start, documents
from kafka import KafkaConsumer
from prometheus_client import CollectorRegistry

from consumer.checkpoints.interrupts import UNINTERRUPTED
from consumer.commit.writer import dead_letter_record
from consumer.kafka.batch import DeadLetter
from consumer.kafka.outbox import Outgoing
from consumer.kafka.transaction import Transactions
from consumer.monitoring.learning_metrics import Metrics
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.errors import Reason
from newsreel.events.topics import Names


def test_labels_are_learned(publish: Publish, learn: Learn, topic: str) -> None:
    """Two labels are classified well after some dozens of documents."""
    publish(topic, documents(96))
    publish(Names.of(topic).heldout, documents(40, start=1000))
    summary = learn(topic, "--stop-after", 96)
    assert summary["documents"] == summary["learned_documents"] == 96
    assert summary["labels"] == 2
    assert summary["replayed_documents"] == 20  # a quarter of the documents after the first 16
    assert summary["dead_letters"] == 0
    assert summary["prequential_accuracy"] > 0.7
    assert summary["heldout_documents"] == 40
    assert summary["heldout_accuracy"] > 0.9


def test_unlabelled_documents_are_predicted_and_not_learned(
    publish: Publish, learn: Learn, topic: str
) -> None:
    """A document without a label is predicted, but neither scored nor learned."""
    unlabelled = [replace(document, label=None) for document in documents(10, start=500)]
    publish(topic, documents(32) + unlabelled)
    summary = learn(topic, "--stop-when-idle", 2)
    assert summary["documents"] == 42
    assert summary["unlabelled_documents"] == 10
    assert summary["learned_documents"] == 32


def test_last_documents_are_learned(publish: Publish, learn: Learn, topic: str) -> None:
    """Documents that don't fill a micro-batch are learned once the stream has ended."""
    publish(topic, documents(21))
    # The commit at 21 documents precedes the last learning step, which needs another commit.
    options = ("--stop-when-idle", 2, "--checkpoint-every", 21)
    assert learn(topic, *options)["learned_documents"] == 21
    publish(topic, documents(11, start=21))
    assert learn(topic, *options)["learned_documents"] == 32


def test_csv_file_of_a_user(run: Run, learn: Learn, topic: str, tmp_path: Path) -> None:
    """A CSV file with other columns and labels is published and learned without code."""
    path = tmp_path / "tickets.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["body", "queue"])
        queue = {"sport": "Facturación", "space": "42"}
        rows.writerows([d.text, queue[d.label or ""]] for d in documents(48))
    columns = ("--text-column", "body", "--label-column", "queue")
    published = run("producer", "--corpus", path, *columns, "--topic", topic)
    assert published.returncode == 0, published.stderr
    summary = learn(topic, "--stop-after", 48)
    assert summary["labels"] == 2
    assert set(summary["recall_last_1000"]) == {"Facturación", "42"}


def test_options_of_learning(publish: Publish, learn: Learn, topic: str) -> None:
    """SGD, full fine-tuning, bf16 and a class-balanced buffer work together."""
    publish(topic, documents(48))
    summary = learn(
        topic,
        *("--learner", "finetune", "--layers", "all", "--optimizer", "sgd", "--precision", "bf16"),
        *("--replay", "class-balanced", "--replay-ratio", 2, "--stop-after", 48),
    )
    assert summary["learned_documents"] == 48
    assert summary["replayed_documents"] == 16 + 32


def test_drift(publish: Publish, learn: Learn, topic: str, connection: Connection) -> None:
    """After two labels are exchanged, one drift is published, and both labels are learned again."""
    other = {"sport": "space", "space": "sport"}
    before, after = documents(1600), documents(800, start=2000)
    publish(topic, before)
    publish(topic, [replace(document, label=other[document.label or ""]) for document in after])
    learn(topic, "--learner", "bayes", "--stop-after", 1900)
    summary = learn(topic, "--learner", "bayes", "--stop-after", 500)
    assert summary["documents"] == 2400
    consumer = KafkaConsumer(
        Names.of(topic).drift,
        **connection.options,
        auto_offset_reset="earliest",
        consumer_timeout_ms=3000,
        isolation_level="read_committed",
    )
    drifts = [json.loads(record.value) for record in consumer if record.key == b"error"]
    consumer.close()
    detected, *others = drifts
    assert 1600 < detected["documents"] < 1700
    assert abs(detected["since"] - 1600) < 20
    assert detected["group"] == topic
    assert sorted(label for drift in others for label in drift["forgotten"]) == ["space", "sport"]
    assert min(summary["recall_last_1000"].values()) > 0.7


def test_evaluation_of_a_checkpoint(
    publish: Publish, learn: Learn, run: Run, topic: str, tmp_path: Path
) -> None:
    """``consumer evaluate`` needs only the checkpoint, and agrees with the summary of the run."""
    publish(topic, documents(48))
    publish(Names.of(topic).heldout, [*documents(30, start=1000), b"not a document"])
    summary = learn(topic, "--stop-after", 48)
    evaluated = run(
        *("consumer", "evaluate", "--checkpoint", tmp_path / "checkpoints"),
        *("--topic", Names.of(topic).heldout, "--precision", "fp32"),
    )
    assert evaluated.returncode == 0, evaluated.stderr
    report = json.loads(evaluated.stdout)
    assert report["heldout_accuracy"] == summary["heldout_accuracy"]
    assert report["heldout_documents"] == summary["heldout_documents"] == 30
    assert report["documents_read"] == 48


def test_unusable_records_become_dead_letters(
    publish: Publish, learn: Learn, topic: str, bootstrap_servers: str
) -> None:
    """An unusable record becomes a dead letter with its bytes, reason and place."""
    poison = {
        "not_json": b"{",
        "not_utf8": b"\xff\xfe",
        "wrong_shape": b'{"text": 3}',
        "empty_text": b'{"text": " "}',
        "label_length": b'{"text": "x", "label": "%s"}' % (b"y" * 10_000),
        "too_large": b'{"text": "%s"}' % (b"z" * (10 << 20)),
        "no_value": b"",
        "label_limit": b'{"text": "one label too many", "label": "third"}',
    }
    publish(topic, [*documents(20), *poison.values(), *documents(12, start=20)])
    summary = learn(topic, "--stop-after", 32, "--max-labels", 2)
    assert summary["learned_documents"] == 32
    assert summary["dead_letters"] == len(poison)
    assert summary["labels"] == 2
    found = read(bootstrap_servers, Names.of(topic).dead_letters, len(poison))
    for number, ((reason, value), letter) in enumerate(zip(poison.items(), found, strict=True)):
        headers = dict(letter.headers)
        assert headers["dl_reason"].decode() == reason
        assert letter.value == value
        assert headers["dl_topic"].decode() == topic
        assert int(headers["dl_offset"]) == 20 + number
        assert int(headers["dl_partition"]) == 0
        assert headers["dl_detail"]


def test_too_large_dead_letter(publish: Publish, topic: str, bootstrap_servers: str) -> None:
    """A dead letter that the broker refuses for its size is published without its value."""
    publish(topic, [])
    large = os.urandom(65 << 20)
    letter = DeadLetter("stream", 0, 8, None, b"{", [], Reason.NOT_JSON, "value: not JSON")
    small = dead_letter_record(topic, letter)
    records = [Outgoing(topic, None, large, []), small]
    transactions = Transactions(
        Connection(bootstrap_servers), topic, topic, UNINTERRUPTED, Metrics(CollectorRegistry())
    )
    transactions.open()
    transactions.commit(records, {0: 9}, "id")
    transactions.close()
    first, second = read(bootstrap_servers, topic, 2)
    assert not first.value
    assert dict(first.headers)["dl_value_bytes"] == str(len(large)).encode()
    assert second.value == b"{"
    assert dict(second.headers)["dl_offset"] == b"8"


def read(bootstrap_servers: str, topic: str, count: int) -> list[Any]:
    """Read the first records of a topic."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=5000,
    )
    try:
        return [next(consumer) for _ in range(count)]
    finally:
        consumer.close()


def test_metrics_and_health(publish: Publish, consumer: Start, topic: str) -> None:
    """A learning consumer serves accuracy and throughput; the health checks answer ok."""
    publish(topic, documents(32))
    with consumer(topic) as running:
        running.wait_for(lambda: running.progress()["learned"] == 32)
        metrics = running.get("/metrics")
        assert 'newsreel_documents_total{labelled="true"} 32.0' in metrics
        assert 'newsreel_prequential_accuracy{window="whole"}' in metrics
        assert 'newsreel_consumer_lag_documents{partition="0"} 0.0' in metrics
        assert running.get("/healthz") == running.get("/readyz") == "ok"


def test_unusable_records_are_committed(publish: Publish, consumer: Start, topic: str) -> None:
    """Positions of a stream of unusable records are committed."""
    publish(topic, [b"{"] * 30)
    with consumer(topic, "--checkpoint-every", 10) as running:
        running.wait_for(lambda: "committed" in running.log)


def test_names_of_topics(
    publish: Publish, learn: Learn, connection: Connection, topic: str
) -> None:
    """Topics that options name are used in place of those that are named after the documents."""
    publish(topic, [*documents(20), b"not a document"])
    publish(f"held-{topic}", documents(4, start=1000))
    given = {name: f"ml-{topic}.{name}" for name in ("predictions", "dead-letters", "drift")}
    options = [word for name, chosen in given.items() for word in (f"--{name}-topic", chosen)]
    heldout = ("--heldout-topic", f"held-{topic}")
    summary = learn(topic, "--stop-when-idle", 1, "--learner", "bayes", *options, *heldout)
    assert (summary["documents"], summary["heldout_documents"]) == (20, 4)
    assert len(list(kafka.read(connection, given["predictions"]))) == 20
    assert len(list(kafka.read(connection, given["dead-letters"]))) == 1
    with kafka.admin(connection) as client:
        found = {name for name in client.list_topics() if topic in name}
    assert found == {topic, f"held-{topic}", *given.values()}
