"""A run that ends when its topic is idle, and a transaction that another producer leaves open."""

import json
import time
from pathlib import Path

import pytest
from helpers import Publish, documents, started
from kafka import KafkaProducer

from newsreel.events.document import encode_value


@pytest.mark.parametrize(
    ("ending", "found"), [("commit_transaction", 14), ("abort_transaction", 13)]
)
def test_open_transaction_is_not_idle(
    publish: Publish, bootstrap_servers: str, topic: str, tmp_path: Path, ending: str, found: int
) -> None:
    """The run goes on behind an open transaction, shows its records as lag, and ends after it."""
    publish(topic, documents(8))
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=f"{topic}-open")
    producer.init_transactions()
    producer.begin_transaction()
    (held,) = documents(1, start=8)
    producer.send(topic, value=encode_value(held), key=held.id.encode()).get(timeout=30)
    publish(topic, documents(5, start=9))
    summary = tmp_path / "summary.json"
    options = (
        *("--topic", topic, "--group", topic, "--checkpoint-dir", tmp_path / "checkpoints"),
        *("--learner", "bayes", "--http-port", 0, "--summary", summary, "--stop-when-idle", 1),
    )
    with started(tmp_path / "log", bootstrap_servers, *options) as consumer:
        consumer.wait_for(lambda: consumer.progress()["documents"] == 8)
        consumer.wait_for(lambda: consumer.progress()["lag"] == 6)
        time.sleep(4)
        assert consumer.process.poll() is None, consumer.log
        consumer.wait_for(lambda: consumer.progress()["waiting"])
        assert "holds back 6 records of partition 0" in consumer.progress()["waiting"]
        getattr(producer, ending)()
        assert consumer.process.wait(60) == 0, consumer.log
    producer.close()
    assert json.loads(summary.read_text())["documents"] == found
