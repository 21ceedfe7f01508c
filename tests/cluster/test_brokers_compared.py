"""The benchmark of brokers."""

import pytest
from helpers import documents

from benchmarks.throughput import brokers


def test_brokers_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Kafka has a figure for publishing, reading and committing."""
    monkeypatch.setattr(brokers, "COMMITS", 2)
    found = {each.name: each.figures for each in brokers.compare(documents(64), rounds=1)}
    assert found.keys() == {"brokers-publish", "brokers-read", "brokers-commit"}
    for figures in found.values():
        assert figures.keys() == {"embedded", "Apache Kafka", "three brokers"}
        assert all(figure > 0 for (figure,) in figures.values())
