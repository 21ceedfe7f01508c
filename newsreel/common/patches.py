"""Repair two defects of kafka-python 3.0.12 that each program meets; `install` is called once.

Topics that appear. The option ``allow_auto_create_topics`` has no effect, and a broker with
``auto.create.topics.enable`` would create a topic that somebody has just deleted. With the patch,
no client asks for that.

Brokers that hang. A client that starts takes one of the given addresses, and waits for its answer
for all of its time. With the patch, each address gets its share of the time.
"""

from typing import Any

from kafka.cluster import ClusterMetadata
from kafka.net.manager import KafkaConnectionManager

_get_connection = KafkaConnectionManager.get_connection


def install() -> None:
    """Install the patches in this process; further calls change nothing."""
    ClusterMetadata.DEFAULT_CONFIG["allow_auto_create_topics"] = False
    KafkaConnectionManager.get_connection = _get_connection_in_time


def _get_connection_in_time(
    manager: Any, node_id: Any, timeout_ms: float | None = None, **options: Any
) -> Any:
    if timeout_ms is not None and manager.cluster.is_bootstrap(node_id):
        timeout_ms /= len(manager.cluster.bootstrap_brokers())
    return _get_connection(manager, node_id, timeout_ms=timeout_ms, **options)
