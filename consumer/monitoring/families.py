"""Prometheus metrics made from their definitions, and moved by name."""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumer.monitoring.definitions import Definition

Labels = tuple[str, ...]

Counts = Mapping[str, Mapping[Labels, float]]
"""Of each counter: values by the values of its labels."""


class Families:
    """One metric for each definition.

    Counters are not shown before `begin`: one that is at 0 and then goes on from where another
    process was would show all of that as an increase.

    Parameters
    ----------
    definitions
        Of metrics whose names differ.
    registry
        Where they are registered.
    """

    def __init__(self, definitions: Sequence[Definition], registry: CollectorRegistry) -> None:
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._shown: dict[str, set[Labels]] = {}
        self._counts: dict[str, dict[Labels, float]] = {}
        self._labels = {one.name: len(one.labels) for one in definitions}
        self._counting = Lock()
        self._registry = registry
        for one in definitions:
            name, about = f"newsreel_{one.name}", (one.help, one.labels)
            match one.kind:
                case "gauge":
                    self._gauges[one.name] = Gauge(name, *about, registry=registry)
                case "counter":
                    self._counters[one.name] = Counter(name, *about, registry=None)
                    self._counts[one.name] = {}
                case "histogram":
                    self._histograms[one.name] = Histogram(
                        name, *about, buckets=one.buckets, registry=registry
                    )

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(*labels) if labels else gauge).set(value)

    def ask(self, name: str, value: Callable[[], float]) -> None:
        """Let a gauge be asked for at each scrape."""
        self._gauges[name].set_function(value)

    def replace(self, name: str, values: Mapping[Labels, float]) -> None:
        """Set all of a gauge that has labels; what is no more is no longer shown."""
        gauge = self._gauges[name]
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in self._shown.get(name, set()) - values.keys():
            gauge.remove(*labels)
        self._shown[name] = set(values)

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
        """Return what was counted."""
        with self._counting:
            return {name: dict(counts) for name, counts in self._counts.items()}

    def begin(self, counts: Counts) -> None:
        """Show counters, going on from what was counted before; unknown ones are left out."""
        for name, values in counts.items():
            for labels, value in values.items():
                if name in self._counters and len(labels) == self._labels[name]:
                    self.count(name, value, *labels)
        for counter in self._counters.values():
            self._registry.register(counter)
