"""Late labels on Apache Kafka, where the topic of labels has the time of appending."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import documents
from kafka import KafkaProducer

from consumer import __main__ as program
from harness.apache import ApacheKafka
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events import label as wire
from newsreel.events.document import encode
from newsreel.events.label import Label
from newsreel.events.topics import Names


@pytest.mark.parametrize("appended", ["documents", "labels"])
def test_log_append_time(
    broker: ApacheKafka,
    encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    topic: str,
    appended: str,
) -> None:
    """A backlog of more documents than can wait is joined, though one topic was loaded at once."""
    connection = Connection(bootstrap_servers=broker.bootstrap_servers)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    names = {"documents": topic, "labels": Names.of(topic).labels}
    with kafka.admin(connection) as admin:
        for role, name in names.items():
            time = "LogAppendTime" if role == appended else "CreateTime"
            configs = {"message.timestamp.type": time, "retention.ms": "-1"}
            admin.create_topics(
                {name: {"num_partitions": 1, "replication_factor": 1, "configs": configs}}
            )
        admin.wait_for_topics(list(names.values()))
    producer = KafkaProducer(**connection.options)
    begin = 1_764_070_530_000
    for number, document in enumerate(documents(300)):
        label = Label(document.id, str(document.label))
        for name, record in (
            (topic, encode(replace(document, label=None), "tests")),
            (names["labels"], wire.encode(label, "tests")),
        ):
            producer.send(
                name,
                key=record.key,
                value=record.value,
                headers=record.headers,
                timestamp_ms=begin + 1000 * number,
            )
    producer.close()
    summary = tmp_path / "summary.json"
    command = ["--topic", topic, "--group", topic, "--checkpoint-dir", tmp_path / "checkpoints"]
    options = ["--learner", "bayes", "--late-labels", "--pending-capacity", 100]
    always = ["--model", encoder, "--summary", summary, "--stop-when-idle", 3]
    program.learn([str(word) for word in [*command, *options, *always, "--http-port", 0]])
    assert json.loads(summary.read_text())["learned_documents"] == 300
