"""What the producer has done, for Prometheus."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from newsreel.common.errors import UserError
from producer.publisher import PublishCounts


class MetricsPortError(UserError):
    """Metrics can't be served where they were asked for."""


class PublishCollector(Collector):
    """Shows a tally as counters: what is counted once can't differ from what is reported."""

    def __init__(self, tally: PublishCounts) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """Read the tally at the time of the scrape."""
        for name, help_, value in (
            ("documents", "Documents that the broker has acknowledged.", self._tally.delivered),
            ("bytes", "Keys and values of these, before compression.", self._tally.delivered_bytes),
            ("failed", "Documents that are larger than the topic takes.", self._tally.failed),
            ("skipped", "Documents that break the wire contract.", self._tally.skipped),
            ("labels", "Labels published later than their documents.", self._tally.labels),
        ):
            yield CounterMetricFamily(f"newsreel_producer_{name}", help_, value)
        tally = self._tally
        changes = CounterMetricFamily(
            "newsreel_producer_changes",
            "What changed in a simulated stream, as the topic of truth says.",
            labels=["scenario", "what"],
        )
        for told, count in tally.changes.copy().items():
            changes.add_metric(told, count)
        yield changes
        last: Mapping[tuple[str, str], float]
        for name, help_, last in (
            ("change_timestamp_seconds", "When the last such change was told.", tally.changed),
            ("change_documents", "Documents published before the last such change.", tally.behind),
        ):
            family = GaugeMetricFamily(
                f"newsreel_producer_{name}", help_, labels=["scenario", "what"]
            )
            for told, at in dict(last).items():
                family.add_metric(told, at)
            yield family


@contextmanager
def serve(registry: CollectorRegistry, host: str, port: int) -> Iterator[None]:
    """Serve a registry over HTTP until the ``with`` block ends.

    Raises
    ------
    MetricsPortError
        The address is taken, or not one of this machine's.
    """
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise MetricsPortError(
            f"metrics can't be served on {host}:{port} ({error.strerror}); choose another"
            " --metrics-port or --metrics-host"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
