"""What the evaluator exports, and how an examination moves it."""

from functools import cached_property

import torch
import transformers
from prometheus_client import CollectorRegistry

from consumer.evaluation.forgetting import Forgetting
from consumer.heldout.checkpoint_evaluator import Evaluation
from consumer.monitoring.definitions import HELD_OUT, MAX_LABEL_SERIES
from consumer.monitoring.families import Families
from newsreel import __version__

MEASURES = ("accuracy", "macro_f1", "kappa", "log_loss", "calibration_error", "documents")

SCORES = [one for one in HELD_OUT if one.group == "held-out" and one.kind == "gauge"]

OTHERS = [one for one in HELD_OUT if one not in SCORES]


class HeldOutMetrics:
    """Everything of `HELD_OUT`; scores are shown from the first examination on.

    Parameters
    ----------
    registry
        Where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._others = Families(OTHERS, registry)
        self._others.begin({})
        self._others.set(
            "evaluator_build_info", 1, __version__, torch.__version__, transformers.__version__
        )

    def examined(self, examination: Evaluation, forgetting: Forgetting, seconds: float) -> None:
        """Take in an examination, what it shows to be forgotten, and how long it took."""
        scores, manifest, gauges = examination.scores, examination.manifest, self._scores
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
        self._others.count("heldout_evaluations", 1)
        self._others.observe("heldout_seconds", seconds)

    def failed(self) -> None:
        """Take in an examination that failed."""
        self._others.count("heldout_failures", 1)

    @cached_property
    def _scores(self) -> Families:
        return Families(SCORES, self._registry)
