"""The Kafka client during an outage of its broker."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.net.compat import KafkaNetClient

from consumer.kafka.patches import _await_ready_without_raising
from harness.broker import EmbeddedKafka
from newsreel.common import kafka
from newsreel.common.kafka import Connection

AWAY_SECONDS = 1.5


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """Start a broker of its own, as the test stops the broker."""
    with EmbeddedKafka(tmp_path / "kafka") as broker:
        yield broker


@pytest.mark.parametrize("ending", ["flush", "offsets", "commit"])
def test_a_transaction_outlives_its_broker(
    broker: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """A transaction ends after a restart of the broker, at any point of the transaction."""
    monkeypatch.setattr(KafkaNetClient, "await_ready", _await_ready_without_raising)
    with kafka.admin(Connection(broker.bootstrap_servers)) as admin:
        kafka.ensure(admin, "topic", 1)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id="id")
    producer.init_transactions()

    def offsets() -> None:
        tp = TopicPartition("topic", 0)
        producer.send_offsets_to_transaction({tp: OffsetAndMetadata(1, "", -1)}, "group")

    def transaction(steps: list[str]) -> None:
        """Run a transaction, and restart the broker before its last call."""
        producer.begin_transaction()
        for step in ("flush", "offsets", "commit"):
            if step in steps:
                broker.stop()
                threading.Timer(AWAY_SECONDS, broker.start).start()
            if step == "flush":
                producer.send("topic", b"value")
                producer.flush()
            elif step == "offsets":
                offsets()
            else:
                producer.commit_transaction()

    transaction([])
    work = threading.Thread(target=transaction, args=[[ending]], daemon=True)
    started = time.monotonic()
    work.start()
    work.join(40)
    assert not work.is_alive()
    assert time.monotonic() - started > AWAY_SECONDS
    producer.close(timeout=1)
