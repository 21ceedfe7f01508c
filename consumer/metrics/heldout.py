"""What the evaluator exports, and how an examination moves it."""

import importlib.metadata
from functools import cached_property

import torch
import transformers
from prometheus_client import CollectorRegistry

from consumer.examination import Examination
from consumer.forgetting import Forgetting
from consumer.metrics.definitions import HELD_OUT, MAX_LABEL_SERIES
from consumer.metrics.families import Families

MEASURES = ("accuracy", "macro_f1", "kappa", "log_loss", "calibration_error", "documents")


class HeldOutMetrics:
    """Everything of `HELD_OUT`.

    Parameters
    ----------
    registry
        Where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._counts = Families([one for one in HELD_OUT if one.kind != "gauge"], registry)
        self._counts.begin({})
        for counter in ("heldout_evaluations", "heldout_failures"):
            self._counts.count(counter, 0)

    def examined(self, examination: Examination, forgetting: Forgetting, seconds: float) -> None:
        """Take in an examination, what it shows to be forgotten, and how long it took."""
        scores, manifest, gauges = examination.scores, examination.manifest, self._gauges
        known = [label for label in examination.labels if label in scores.recall]
        shown = [*known, *sorted(scores.recall.keys() - set(known))][:MAX_LABEL_SERIES]
        for measure in MEASURES:
            gauges.set(f"heldout_{measure}", getattr(scores, measure))
        by_label = {"heldout_recall": scores.recall, "forgetting": forgetting.by_label}
        for name, values in by_label.items():
            gauges.replace(name, {(label,): values[label] for label in shown})
        gauges.set("forgetting_mean", forgetting.mean)
        gauges.set("heldout_gap", examination.gap)
        gauges.set("heldout_checkpoint_documents", manifest.documents)
        gauges.set("heldout_checkpoint_timestamp_seconds", examination.written)
        self._counts.count("heldout_evaluations", 1)
        self._counts.observe("heldout_seconds", seconds)

    def failed(self) -> None:
        """Take in an examination that failed."""
        self._counts.count("heldout_failures", 1)

    @cached_property
    def _gauges(self) -> Families:
        """Gauges from the first examination on: none of them was 0 before."""
        gauges = Families([one for one in HELD_OUT if one.kind == "gauge"], self._registry)
        version = importlib.metadata.version("newsreel")
        gauges.set("evaluator_build_info", 1, version, torch.__version__, transformers.__version__)
        return gauges
