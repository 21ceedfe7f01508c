"""Describe a metric; the metrics themselves are defined in ``*_definitions``.

The reference in docs/metrics.md is generated from the definitions. Names follow Prometheus: base
units, ``_total`` at the end of counters, the unit at the end of other names.
"""

from dataclasses import dataclass
from typing import Literal

MAX_LABEL_SERIES = 100
"""Number of labels with a series of their own: the first labels to appear in the stream."""

FIRST_LABELS = f"first {MAX_LABEL_SERIES} labels"
"""Phrase in the help of a metric that has a series for each of these labels."""

MEASURES = ("accuracy", "macro_f1", "kappa", "log_loss", "calibration_error")
"""Fields of `Scores` that are exported for each set of predictions."""

Kind = Literal["gauge", "counter", "histogram"]

Group = Literal[
    "prequential",
    "experts",
    "work",
    "learning",
    "replay",
    "drift",
    "labels",
    "input",
    "commits",
    "held-out",
    "process",
]


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric."""

    name: str
    """Name without the prefix ``newsreel_`` and the suffix ``_total``."""

    kind: Kind

    group: Group
    """Section of the reference."""

    help: str
    """One phrase without a period."""

    labels: tuple[str, ...] = ()
    """Names of the metric's labels."""

    buckets: tuple[float, ...] = ()
    """Upper limits of a histogram's buckets."""

    @property
    def exported(self) -> str:
        """Name at ``/metrics``."""
        return f"newsreel_{self.name}" + ("_total" if self.kind == "counter" else "")


def gauge(group: Group, name: str, help_: str, *labels: str) -> Definition:
    """Define a gauge."""
    return Definition(name, "gauge", group, help_, labels)


def counter(group: Group, name: str, help_: str, *labels: str) -> Definition:
    """Define a counter."""
    return Definition(name, "counter", group, help_, labels)


def histogram(
    group: Group, name: str, help_: str, buckets: tuple[float, ...], *labels: str
) -> Definition:
    """Define a histogram by the upper limits of its buckets."""
    return Definition(name, "histogram", group, help_, labels, buckets)


def scores(group: Group, prefix: str, *labels: str) -> list[Definition]:
    """Define the measures of a set of predictions, except accuracy."""
    return [
        gauge(group, f"{prefix}_{name}", help_, *labels)
        for name, help_ in (
            ("macro_f1", "F1, mean over the labels"),
            ("kappa", "Cohen's kappa"),
            ("log_loss", "Cross-entropy in nats"),
            (
                "calibration_error",
                "Expected calibration error: confidence minus accuracy, mean over ten bins",
            ),
        )
    ]
