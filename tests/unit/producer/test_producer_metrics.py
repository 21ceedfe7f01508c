"""Prometheus metrics of the producer."""

import socket
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from harness.broker import free_port
from producer import metrics
from producer.metrics import MetricsPortError
from producer.publisher import PublishCounts


@pytest.fixture
def counts() -> PublishCounts:
    return PublishCounts(delivered=5, delivered_bytes=500, failed=2, skipped=1)


@pytest.fixture
def registry(counts: PublishCounts) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(metrics.PublishCollector(counts))
    return registry


def values(exposition: str) -> dict[str, float]:
    lines = (line.split() for line in exposition.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_counters(registry: CollectorRegistry, counts: PublishCounts) -> None:
    """The counters are the publisher's counts at the time of the scrape."""
    assert values(generate_latest(registry).decode()) == {
        "newsreel_producer_documents_total": 5,
        "newsreel_producer_bytes_total": 500,
        "newsreel_producer_failed_total": 2,
        "newsreel_producer_skipped_total": 1,
        "newsreel_producer_labels_total": 0,
    }
    counts.delivered += 1
    assert values(generate_latest(registry).decode())["newsreel_producer_documents_total"] == 6


def test_changes(registry: CollectorRegistry, counts: PublishCounts) -> None:
    """Changes are counted, with the time and the place of the last one."""
    kind = ("label-swap", "labels exchanged")
    counts.changes[kind] += 2
    counts.change_times[kind], counts.change_documents[kind] = 1700.5, 2500
    shown = generate_latest(registry).decode()
    labels = '{scenario="label-swap",what="labels exchanged"}'
    assert f"newsreel_producer_changes_total{labels} 2.0" in shown
    assert f"newsreel_producer_change_timestamp_seconds{labels} 1700.5" in shown
    assert f"newsreel_producer_change_documents{labels} 2500.0" in shown


def test_served_until_the_end(registry: CollectorRegistry) -> None:
    """Metrics can be scraped inside the block; afterwards the port is free again."""
    port = free_port()
    for _ in range(2):
        with (
            metrics.serve(registry, "127.0.0.1", port),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer,
        ):
            assert values(answer.read().decode())["newsreel_producer_documents_total"] == 5


@pytest.mark.parametrize("host", ["::1", "[::1]", "::"])
def test_ipv6(registry: CollectorRegistry, host: str) -> None:
    """Metrics can be served on IPv6 addresses."""
    port = free_port()
    with (
        metrics.serve(registry, host, port),
        urllib.request.urlopen(f"http://[::1]:{port}/metrics") as answer,
    ):
        assert values(answer.read().decode())["newsreel_producer_documents_total"] == 5


def test_busy_port(registry: CollectorRegistry) -> None:
    """The error about a port in use names the options that choose another."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        message = rf"on 127\.0\.0\.1:{port} \(Address already in use\); choose another --metrics-p"
        with (
            pytest.raises(MetricsPortError, match=message),
            metrics.serve(registry, "127.0.0.1", port),
        ):
            pass
