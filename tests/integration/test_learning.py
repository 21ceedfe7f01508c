"""The consumer learns from a real topic, with the real encoder."""

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
from newsreel.common.kafka import Connection
from newsreel.events import topics
from newsreel.events.errors import Reason


def test_labels_are_discovered_and_learned(publish: Publish, learn: Learn, topic: str) -> None:
    """Two labels that nobody announced are told apart after some dozens of documents."""
    publish(topic, documents(96))
    publish(topics.heldout(topic), documents(40, start=1000))
    summary = learn(topic, "--stop-after", 96)
    assert summary["documents"] == summary["learned_documents"] == 96
    assert summary["labels"] == 2
    assert summary["replayed_documents"] == 20  # one for four new ones after the first 16
    assert summary["dead_letters"] == 0
    assert summary["prequential_accuracy"] > 0.7
    assert summary["heldout_documents"] == 40
    assert summary["heldout_accuracy"] > 0.9


def test_unlabelled_documents_are_predicted_and_not_learned(
    publish: Publish, learn: Learn, topic: str
) -> None:
    """A document without a label counts as predicted, and leaves accuracy and model alone."""
    unlabelled = [replace(document, label=None) for document in documents(10, start=500)]
    publish(topic, documents(32) + unlabelled)
    summary = learn(topic, "--stop-when-idle", 2)
    assert summary["documents"] == 42
    assert summary["unlabelled_documents"] == 10
    assert summary["learned_documents"] == 32


def test_the_rest_is_learned_when_the_stream_is_over(
    publish: Publish, learn: Learn, topic: str
) -> None:
    """Documents that don't fill a micro-batch are learned once the stream has ended."""
    publish(topic, documents(21))
    # The commit at 21 documents comes before the rest is learned: it must not be the last.
    options = ("--stop-when-idle", 2, "--checkpoint-every", 21)
    assert learn(topic, *options)["learned_documents"] == 21
    publish(topic, documents(11, start=21))
    assert learn(topic, *options)["learned_documents"] == 32


def test_any_labelled_csv_goes_through_producer_and_consumer(
    run: Run, learn: Learn, topic: str, tmp_path: Path
) -> None:
    """A user's own file with other columns and labels needs no code."""
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


def test_the_methods_of_the_mission_can_be_chosen(
    publish: Publish, learn: Learn, topic: str
) -> None:
    """SGD, full fine-tuning, bf16 and a class-balanced buffer work together."""
    publish(topic, documents(48))
    summary = learn(
        topic,
        *("--learner", "finetune", "--layers", "all", "--optimizer", "sgd", "--precision", "bf16"),
        *("--replay", "class-balanced", "--replay-ratio", 2, "--stop-after", 48),
    )
    assert summary["learned_documents"] == 48
    assert summary["replayed_documents"] == 16 + 32


def test_drift_is_noticed_told_and_answered(
    publish: Publish, learn: Learn, topic: str, connection: Connection
) -> None:
    """Two labels change places: that is told once on its topic, and both are learned anew."""
    other = {"sport": "space", "space": "sport"}
    before, after = documents(1600), documents(800, start=2000)
    publish(topic, before)
    publish(topic, [replace(one, label=other[one.label or ""]) for one in after])
    learn(topic, "--learner", "bayes", "--stop-after", 1900)
    summary = learn(topic, "--learner", "bayes", "--stop-after", 500)
    assert summary["documents"] == 2400
    consumer = KafkaConsumer(
        topics.drift(topic),
        **connection.options,
        auto_offset_reset="earliest",
        consumer_timeout_ms=3000,
        isolation_level="read_committed",
    )
    told = [json.loads(record.value) for record in consumer if record.key == b"error"]
    consumer.close()
    noticed, *others = told
    assert 1600 < noticed["documents"] < 1700
    assert abs(noticed["since"] - 1600) < 20
    assert noticed["group"] == topic
    assert sorted(label for one in others for label in one["forgotten"]) == ["space", "sport"]
    assert min(summary["recall_last_1000"].values()) > 0.7


def test_a_checkpoint_is_examined_on_the_heldout_topic(
    publish: Publish, learn: Learn, run: Run, topic: str, tmp_path: Path
) -> None:
    """``consumer evaluate`` needs nothing but the checkpoint, and agrees with the run's end."""
    publish(topic, documents(48))
    publish(topics.heldout(topic), [*documents(30, start=1000), b"not a document"])
    summary = learn(topic, "--stop-after", 48)
    examined = run(
        *("consumer", "evaluate", "--checkpoint", tmp_path / "checkpoints"),
        *("--topic", topics.heldout(topic), "--precision", "fp32"),
    )
    assert examined.returncode == 0, examined.stderr
    report = json.loads(examined.stdout)
    assert report["heldout_accuracy"] == summary["heldout_accuracy"]
    assert report["heldout_documents"] == summary["heldout_documents"] == 30
    assert report["documents_read"] == 48


def test_unusable_records_become_dead_letters(
    publish: Publish, learn: Learn, topic: str, bootstrap_servers: str
) -> None:
    """Each unusable record is counted and kept with reason, bytes and place; learning goes on."""
    poison = {
        "not_json": b"{",
        "not_utf8": b"\xff\xfe",
        "wrong_shape": b'{"text": 3}',
        "empty_text": b'{"text": " "}',
        "label_length": b'{"text": "x", "label": "%s"}' % (b"y" * 10_000),
        "too_large": b'{"text": "%s"}' % (b"z" * (10 << 20)),
        "no_value": None,
        "label_limit": b'{"text": "one label too many", "label": "third"}',
    }
    publish(topic, [*documents(20), *poison.values(), *documents(12, start=20)])
    summary = learn(topic, "--stop-after", 32, "--max-labels", 2)
    assert summary["learned_documents"] == 32
    assert summary["dead_letters"] == len(poison)
    assert summary["labels"] == 2
    found = read(bootstrap_servers, topics.dead_letters(topic), len(poison))
    for number, ((reason, value), letter) in enumerate(zip(poison.items(), found, strict=True)):
        headers = dict(letter.headers)
        assert headers["dl_reason"].decode() == reason
        assert letter.value == value
        assert headers["dl_topic"].decode() == topic
        assert int(headers["dl_offset"]) == 20 + number
        assert int(headers["dl_partition"]) == 0
        assert headers["dl_detail"]


def test_a_dead_letter_too_large_for_its_topic_goes_without_its_bytes(
    publish: Publish, topic: str, bootstrap_servers: str
) -> None:
    """Where the broker refuses the bytes, reason and place are kept, and later letters come."""
    publish(topic, [])
    large = os.urandom(65 << 20)
    letter = DeadLetter("stream", 0, 8, None, b"{", [], Reason.NOT_JSON, "value: not JSON")
    small = replace(dead_letter_record(topic, letter), topic=topic)
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


def test_metrics_and_health_are_served_while_it_learns(
    publish: Publish, consumer: Start, topic: str
) -> None:
    """``/metrics`` shows accuracy and throughput; health and readiness say ok."""
    publish(topic, documents(32))
    with consumer(topic) as running:
        running.wait_for(lambda: running.progress()["learned"] == 32)
        metrics = running.get("/metrics")
        assert 'newsreel_documents_total{labelled="true"} 32.0' in metrics
        assert 'newsreel_prequential_accuracy{window="whole"}' in metrics
        assert 'newsreel_consumer_lag_documents{partition="0"} 0.0' in metrics
        assert running.get("/healthz") == running.get("/readyz") == "ok"


def test_poison_alone_is_committed_too(publish: Publish, consumer: Start, topic: str) -> None:
    """A stream of nothing but unusable records moves on, and a restart does not repeat them."""
    publish(topic, [b"{"] * 30)
    with consumer(topic, "--checkpoint-every", 10) as running:
        running.wait_for(lambda: "committed" in running.log)
