"""Prometheus metrics of the producer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from newsreel.common import listening
from newsreel.common.errors import UserError
from producer.publisher import PublishCounts


class MetricsPortError(UserError):
    """Metrics can't be served at the given address."""


class PublishCollector(Collector):
    """Exports the publisher's counts, the same that the log reports at the end.

    Parameters
    ----------
    counts
        Counts that the publisher updates.
    """

    def __init__(self, counts: PublishCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics at the time of the scrape."""
        counts = self._counts
        for name, help_, value in (
            ("documents", "Documents that the broker has acknowledged.", counts.delivered),
            (
                "bytes",
                "Bytes of the keys and values of these documents, before compression.",
                counts.delivered_bytes,
            ),
            ("failed", "Documents that are larger than the topic accepts.", counts.failed),
            ("skipped", "Documents that break the wire contract.", counts.skipped),
            ("labels", "Labels published later than their documents.", counts.labels),
        ):
            yield CounterMetricFamily(f"newsreel_producer_{name}", help_, value)
        changes = CounterMetricFamily(
            "newsreel_producer_changes",
            "Changes of a simulated stream, as published to the topic of truth.",
            labels=["scenario", "what"],
        )
        for change, count in counts.changes.copy().items():
            changes.add_metric(change, count)
        yield changes
        values: Mapping[tuple[str, str], float]
        for name, help_, values in (
            (
                "change_timestamp_seconds",
                "Time of the last change of this kind, in seconds since 1970.",
                counts.change_times,
            ),
            (
                "change_documents",
                "Documents published before the last change of this kind.",
                counts.change_documents,
            ),
        ):
            family = GaugeMetricFamily(
                f"newsreel_producer_{name}", help_, labels=["scenario", "what"]
            )
            for change, last in dict(values).items():
                family.add_metric(change, last)
            yield family


@contextmanager
def serve(registry: CollectorRegistry, host: str, port: int) -> Iterator[None]:
    """Serve a registry over HTTP until the ``with`` block ends.

    Parameters
    ----------
    registry
        Metrics to serve.
    host, port
        Address to listen on.

    Raises
    ------
    MetricsPortError
        The address is in use, or belongs to another machine.
    """
    try:
        _, address = listening.resolve(host)
        server, thread = start_http_server(port, address, registry)
    except OSError as error:
        raise MetricsPortError(
            f"metrics can't be served on {listening.at(host, port)}"
            f" ({listening.reason(error, host)}); choose another --metrics-port or --metrics-host"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
