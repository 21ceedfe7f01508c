"""Clients create no topics, and give each address of a start its share of the time."""

from typing import Any

import pytest
from kafka.cluster import ClusterMetadata
from kafka.net.manager import KafkaConnectionManager

from newsreel.common import patches


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClusterMetadata, "DEFAULT_CONFIG", dict(ClusterMetadata.DEFAULT_CONFIG))
    monkeypatch.setattr(KafkaConnectionManager, "get_connection", patches._get_connection)


def test_no_topic_is_created() -> None:
    """A request for metadata asks the broker to create nothing."""
    patches.install()
    metadata = ClusterMetadata(bootstrap_servers="127.0.0.1:1")
    metadata._topics = {"documents"}
    assert metadata.metadata_request().allow_auto_topic_creation is False


@pytest.mark.parametrize(("node", "milliseconds"), [("bootstrap-1", 3000), (4, 9000)])
def test_each_address_gets_its_share(
    monkeypatch: pytest.MonkeyPatch, node: Any, milliseconds: int
) -> None:
    """A given address that hangs leaves time for the others; other connections are as before."""
    given: list[tuple[Any, float]] = []
    monkeypatch.setattr(
        patches, "_get_connection", lambda _, node, timeout_ms: given.append((node, timeout_ms))
    )
    manager = type("Manager", (), {"cluster": ClusterMetadata(bootstrap_servers="a:1,b:2,c:3")})
    patches._get_connection_in_time(manager, node, 9000)
    assert given == [(node, milliseconds)]
