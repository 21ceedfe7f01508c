"""Create Prometheus metrics from definitions, and update them by name."""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumer.monitoring.definitions import Definition

Labels = tuple[str, ...]

Counts = Mapping[str, Mapping[Labels, float]]
"""Values of each counter, by the values of its labels."""


class Families:
    """One metric for each definition.

    Counters are not exported before `begin`: a counter at 0 that then continues from the value of
    another process would show that value as an increase.

    Parameters
    ----------
    definitions
        Definitions with different names.
    registry
        Registry of the metrics.
    """

    def __init__(self, definitions: Sequence[Definition], registry: CollectorRegistry) -> None:
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._exported_labels: dict[str, set[Labels]] = {}
        self._counts: dict[str, dict[Labels, float]] = {}
        self._label_counts = {definition.name: len(definition.labels) for definition in definitions}
        self._counting = Lock()
        self._registry = registry
        for definition in definitions:
            name = definition.name
            about = f"newsreel_{name}", definition.help, definition.labels
            match definition.kind:
                case "gauge":
                    self._gauges[name] = Gauge(*about, registry=registry)
                case "counter":
                    self._counters[name] = Counter(*about, registry=None)
                    self._counts[name] = {}
                case "histogram":
                    self._histograms[name] = Histogram(
                        *about, buckets=definition.buckets, registry=registry
                    )

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(*labels) if labels else gauge).set(value)

    def ask(self, name: str, value: Callable[[], float]) -> None:
        """Compute a gauge by a function at each scrape."""
        self._gauges[name].set_function(value)

    def replace(self, name: str, values: Mapping[Labels, float]) -> None:
        """Set all values of a gauge with labels; values that are missing now are removed."""
        gauge = self._gauges[name]
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in self._exported_labels.get(name, set()) - values.keys():
            gauge.remove(*labels)
        self._exported_labels[name] = set(values)

    def count(self, name: str, by: float, *labels: str) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        with self._counting:
            counts = self._counts[name]
            counts[labels] = counts.get(labels, 0) + by
            (counter.labels(*labels) if labels else counter).inc(by)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        histogram = self._histograms[name]
        (histogram.labels(*labels) if labels else histogram).observe(value)

    def counts(self) -> Counts:
        """Return the values of all counters."""
        with self._counting:
            return {name: dict(counts) for name, counts in self._counts.items()}

    def begin(self, counts: Counts) -> None:
        """Export the counters, adding earlier values; values of unknown counters are ignored."""
        for name, values in counts.items():
            for labels, value in values.items():
                if name in self._counters and len(labels) == self._label_counts[name]:
                    self.count(name, value, *labels)
        for counter in self._counters.values():
            self._registry.register(counter)
