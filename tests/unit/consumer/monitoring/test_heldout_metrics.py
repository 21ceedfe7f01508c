"""What Prometheus is told of examinations."""

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from consumer.checkpoints.manifest import FORMAT, Manifest
from consumer.evaluation.forgetting import Forgetting
from consumer.evaluation.scores import Scores
from consumer.heldout.checkpoint_evaluator import Evaluation
from consumer.monitoring.definitions import HELD_OUT, MAX_LABEL_SERIES
from consumer.monitoring.heldout_metrics import HeldOutMetrics

MANIFEST = Manifest(FORMAT, "id", "documents", "newsreel", {}, 500, {}, {})


def examination(recall: dict[str, float], labels: Sequence[str] = ()) -> Evaluation:
    counts = dict.fromkeys(recall, 4)
    heldout = Scores(4 * len(recall), 0.75, 0.7, 0.6, 0.5, 0.1, recall, counts)
    recent = Scores(1000, 0.875, 0.0, 0.0, 0.0, 0.0, {}, {})
    return Evaluation(MANIFEST, 1234.5, labels, heldout, recent)


class Exported:
    """Metrics, and what a scrape reads of them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = HeldOutMetrics(self.registry)
        self.forgetting = Forgetting()

    def examined(self, examination: Evaluation) -> None:
        self.forgetting.update(examination.scores.recall, examination.scores.counts)
        self.metrics.examined(examination, self.forgetting, 2.0)

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


def test_all_of_the_catalogue(exported: Exported) -> None:
    """Each metric that is defined is exported, and no other; scores not before they are known."""
    defined = {f"newsreel_{one.name}" for one in HELD_OUT}
    assert not any("accuracy" in name for name in exported.names())
    assert exported.value("heldout_evaluations_total") == 0
    assert exported.value("heldout_failures_total") == 0
    exported.examined(examination({"a": 1.0}))
    assert exported.names() == defined


def test_values(exported: Exported) -> None:
    """They are those of the last examination; examinations are counted."""
    exported.examined(examination({"a": 1.0, "b": 0.5}))
    exported.examined(examination({"a": 0.25, "b": 0.5}))
    exported.metrics.failed()
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


def test_labels_that_get_a_series(exported: Exported) -> None:
    """The model's labels come first, in their order; a label that is held out no more is gone."""
    many = [f"label {number}" for number in range(MAX_LABEL_SERIES + 5)]
    exported.examined(examination({"unknown": 0.0, "gone": 0.0}))
    exported.examined(examination(dict.fromkeys(["unknown", *many], 0.5), many))
    for name in ("heldout_recall", "forgetting"):
        assert exported.labels(name) == set(many[:MAX_LABEL_SERIES])
    exported.examined(examination({"unknown": 0.0, "b": 1.0}, ["b", "not held out"]))
    assert exported.labels("heldout_recall") == {"unknown", "b"}
