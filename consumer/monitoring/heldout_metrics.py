"""Export held-out evaluations as Prometheus metrics."""

from functools import cached_property
from importlib import metadata

from prometheus_client import CollectorRegistry

from consumer.evaluation.forgetting import Forgetting
from consumer.heldout.checkpoint_evaluator import Evaluation
from consumer.monitoring.definitions import MAX_LABEL_SERIES, MEASURES
from consumer.monitoring.families import Families
from consumer.monitoring.heldout_definitions import HELD_OUT
from newsreel import __version__

SCORES = [metric for metric in HELD_OUT if metric.group == "held-out" and metric.kind == "gauge"]
"""Gauges of an evaluation: they are not exported before the first one."""

OTHERS = [metric for metric in HELD_OUT if metric not in SCORES]


class HeldOutMetrics:
    """All metrics of `HELD_OUT`; scores are exported from the first evaluation on.

    Parameters
    ----------
    registry
        Registry of the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._others = Families(OTHERS, registry)
        self._others.begin({})
        libraries = (metadata.version(name) for name in ("torch", "transformers"))
        self._others.set("evaluator_build_info", 1, __version__, *libraries)

    def evaluated(self, evaluation: Evaluation, forgetting: Forgetting, seconds: float) -> None:
        """Export an evaluation, the forgetting up to it, and its duration in seconds."""
        scores, manifest, gauges = evaluation.scores, evaluation.manifest, self._scores
        known = [label for label in evaluation.labels if label in scores.recall]
        unknown = sorted(scores.recall.keys() - set(known))
        series = [*known, *unknown][:MAX_LABEL_SERIES]
        for measure in (*MEASURES, "documents"):
            gauges.set(f"heldout_{measure}", getattr(scores, measure))
        by_label = {"heldout_recall": scores.recall, "forgetting": forgetting.by_label}
        for name, values in by_label.items():
            gauges.replace(name, {(label,): values[label] for label in series})
        gauges.set("forgetting_mean", forgetting.mean)
        gauges.set("heldout_gap", evaluation.gap)
        gauges.set("heldout_checkpoint_documents", manifest.documents)
        gauges.set("heldout_checkpoint_timestamp_seconds", evaluation.written)
        self._others.count("heldout_evaluations", 1)
        self._others.observe("heldout_seconds", seconds)

    def evaluation_failed(self) -> None:
        """Count an evaluation that failed."""
        self._others.count("heldout_failures", 1)

    @cached_property
    def _scores(self) -> Families:
        return Families(SCORES, self._registry)
