"""Prometheus metrics of held-out evaluations."""

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from consumer.checkpoints.manifest import FORMAT, Manifest
from consumer.evaluation.forgetting import Forgetting
from consumer.evaluation.scores import Scores
from consumer.heldout.checkpoint_evaluator import Evaluation
from consumer.monitoring.definitions import MAX_LABEL_SERIES
from consumer.monitoring.heldout_definitions import HELD_OUT
from consumer.monitoring.heldout_metrics import HeldOutMetrics

MANIFEST = Manifest(FORMAT, "id", "documents", "newsreel", {}, 500, {}, {})


def evaluation(recall: dict[str, float], labels: Sequence[str] = ()) -> Evaluation:
    counts = dict.fromkeys(recall, 4)
    heldout = Scores(4 * len(recall), 0.75, 0.7, 0.6, 0.5, 0.1, recall, counts)
    recent = Scores(1000, 0.875, 0.0, 0.0, 0.0, 0.0, {}, {})
    return Evaluation(MANIFEST, 1234.5, labels, heldout, recent)


class Exported:
    """Metrics and the samples that a scrape reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = HeldOutMetrics(self.registry)
        self.forgetting = Forgetting()

    def evaluated(self, evaluation: Evaluation) -> None:
        self.forgetting.update(evaluation.scores.recall, evaluation.scores.counts)
        self.metrics.evaluated(evaluation, self.forgetting, 2.0)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"newsreel_{name}", labels)

    def names(self) -> set[str]:
        return {family.name for family in self.registry.collect()}

    def labels(self, name: str) -> set[str]:
        return {
            sample.labels["label"]
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == f"newsreel_{name}"
        }


@pytest.fixture
def exported() -> Exported:
    return Exported()


def test_all_definitions(exported: Exported) -> None:
    """Exactly the defined metrics are exported; scores only after the first evaluation."""
    defined = {f"newsreel_{metric.name}" for metric in HELD_OUT}
    assert not any("accuracy" in name for name in exported.names())
    assert exported.value("heldout_evaluations_total") == 0
    assert exported.value("heldout_failures_total") == 0
    exported.evaluated(evaluation({"a": 1.0}))
    assert exported.names() == defined


def test_values(exported: Exported) -> None:
    """Gauges show the last evaluation; evaluations and failures are counted."""
    exported.evaluated(evaluation({"a": 1.0, "b": 0.5}))
    exported.evaluated(evaluation({"a": 0.25, "b": 0.5}))
    exported.metrics.evaluation_failed()
    expected = {
        "heldout_accuracy": 0.75,
        "heldout_macro_f1": 0.7,
        "heldout_kappa": 0.6,
        "heldout_log_loss": 0.5,
        "heldout_calibration_error": 0.1,
        "heldout_documents": 8,
        "forgetting_mean": 0.375,
        "heldout_gap": 0.125,
        "heldout_checkpoint_documents": 500,
        "heldout_checkpoint_timestamp_seconds": 1234.5,
        "heldout_evaluations_total": 2,
        "heldout_failures_total": 1,
        "heldout_seconds_sum": 4.0,
    }
    assert {name: exported.value(name) for name in expected} == expected
    assert exported.value("heldout_recall", label="a") == 0.25
    assert exported.value("forgetting", label="a") == 0.75
    assert exported.value("forgetting", label="b") == 0.0


def test_labels_with_a_series(exported: Exported) -> None:
    """The model's labels come first, in their order; a label no longer held out has no series."""
    many = [f"label {number}" for number in range(MAX_LABEL_SERIES + 5)]
    exported.evaluated(evaluation({"unknown": 0.0, "gone": 0.0}))
    exported.evaluated(evaluation(dict.fromkeys(["unknown", *many], 0.5), many))
    for name in ("heldout_recall", "forgetting"):
        assert exported.labels(name) == set(many[:MAX_LABEL_SERIES])
    exported.evaluated(evaluation({"unknown": 0.0, "b": 1.0}, ["b", "not held out"]))
    assert exported.labels("heldout_recall") == {"unknown", "b"}
