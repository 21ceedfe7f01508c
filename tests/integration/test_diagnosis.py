"""A look at a cluster in which all is well, and at none."""

import pytest
from helpers import Publish, documents

from newsreel.common import kafka
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.kafka import Connection


def test_nothing_is_wrong(connection: Connection, publish: Publish, topic: str) -> None:
    """Nothing is said about a broker that serves the topic, the group and its transactions."""
    publish(topic, documents(1))
    need = Need((topic,), topic, f"newsreel/{topic}/{topic}")
    diagnose(
        connection, need
    )  # Kafka makes its own topics when it is first asked for a coordinator
    found = diagnose(connection, need)
    assert found is None or "yet" in found


def test_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no broker answers, the address is said."""
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT_MS", 300)
    assert "no Kafka broker answers at '127.0.0.1:1'" in str(
        diagnose(Connection("127.0.0.1:1"), Need())
    )
