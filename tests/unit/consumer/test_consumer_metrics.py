"""What Prometheus is told of the loop's steps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumer.metrics.learning import MAX_LABEL_SERIES, Metrics
from consumer.source import DeadLetter
from consumer.tally import Scores
from events.errors import Reason

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Exported:
    """Metrics, and what a scrape reads of them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)

    def samples(self) -> Samples:
        text = generate_latest(self.registry).decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self.samples()["newsreel_" + name, tuple(sorted(labels.items()))]

    def series(self, name: str, label: str) -> set[str]:
        return {
            dict(labels)[label]
            for sample, labels in self.samples()
            if sample == "newsreel_" + name and label in dict(labels)
        }


@pytest.fixture
def exported() -> Exported:
    return Exported()


def letter(reason: Reason) -> DeadLetter:
    return DeadLetter("documents", 0, 7, None, b"{", [], reason, "why")


def test_what_steps_brought(exported: Exported, consumer: Any, numbered: Any) -> None:
    """Counters add up over steps; gauges show the last one."""
    letters = [letter(Reason.NOT_JSON), letter(Reason.NOT_JSON), letter(Reason.BAD_ID)]
    reader = consumer(batch_size=4, replay_ratio=1.0, capacity=5)
    steps = reader.read(
        numbered(["a", "b", "a", None, "a", "a", "b"]), groups=[4, 1, 2], dead_letters=letters
    )
    for step in steps:
        exported.metrics.observe(step)
    lessons = [step.learned for step in steps if step.learned]
    assert exported.value("documents_total", labelled="true") == 6
    assert exported.value("documents_total", labelled="false") == 1
    assert exported.value("learned_documents_total") == 6
    assert exported.value("replayed_documents_total") == sum(x.replayed for x in lessons) == 3
    assert exported.value("learning_steps_total") == 2
    assert exported.value("loss") == lessons[-1].loss
    assert exported.value("replay_ratio") == lessons[-1].replayed / lessons[-1].documents
    assert exported.value("dead_letters_total", reason="not_json") == 2
    assert exported.value("dead_letters_total", reason="bad_id") == 1
    assert exported.value("labels") == 2
    assert exported.value("replay_buffer_documents") == 5
    assert exported.value("consumer_lag_documents", partition="0") == 0
    scores = steps[-1].scores
    for window, shown in (("whole", scores.whole), ("last_1000", scores.window)):
        assert exported.value("prequential_accuracy", window=window) == shown.accuracy
        assert exported.value("prequential_macro_f1", window=window) == shown.macro_f1
        assert exported.value("prequential_kappa", window=window) == shown.kappa
        assert exported.value("prequential_log_loss", window=window) == shown.log_loss
    assert exported.value("prequential_accuracy", window="fading") == scores.fading_accuracy
    for label in "ab":
        assert exported.value("prequential_recall", label=label) == scores.window.recall[label]


def test_stages(exported: Exported, consumer: Any, numbered: Any) -> None:
    """The time of each stage is counted once a step; that of a checkpoint when there is one."""
    ticks = iter(range(1000))
    for step in consumer().read(numbered("ab" * 6), clock=lambda: float(next(ticks))):
        exported.metrics.observe(step)
    exported.metrics.committed(2.5, size=1000)
    exported.metrics.paused(0.1)
    assert exported.series("stage_seconds_count", "stage") == {
        "fetch",
        "predict",
        "learn",
        "checkpoint",
    }
    assert exported.value("stage_seconds_count", stage="learn") == 3
    assert exported.value("stage_seconds_sum", stage="learn") == 3
    assert exported.value("stage_seconds_sum", stage="checkpoint") == 0.1
    assert exported.value("checkpoints_total") == 1
    assert exported.value("checkpoint_bytes") == 1000
    assert exported.value("commit_seconds_sum") == 2.5


def test_a_lost_partition_has_no_lag(exported: Exported, consumer: Any, numbered: Any) -> None:
    """Only partitions that the last step names have a lag: a lost one does not keep its last."""
    (step,) = consumer().read(numbered("a"))
    exported.metrics.observe(replace(step, lag={0: 10, 1: 20}))
    assert exported.series("consumer_lag_documents", "partition") == {"0", "1"}
    exported.metrics.observe(replace(step, lag={1: 5}))
    assert exported.series("consumer_lag_documents", "partition") == {"1"}
    assert exported.value("consumer_lag_documents", partition="1") == 5


def test_series_are_bounded(exported: Exported, consumer: Any, numbered: Any) -> None:
    """However many labels a stream brings, the first hundred get a series and no other does."""
    labels = [f"label {number}" for number in range(MAX_LABEL_SERIES + 150)]
    for step in consumer(batch_size=16).read(numbered(labels + labels)):
        exported.metrics.observe(step)
    assert exported.series("prequential_recall", "label") == set(labels[:MAX_LABEL_SERIES])
    assert exported.value("labels") == len(labels)
    assert len(exported.samples()) < 200


def test_recall_of_a_label_that_left_the_window(
    exported: Exported, consumer: Any, numbered: Any
) -> None:
    """A label without a document among the last 1000 has no recall over them."""
    for step in consumer(batch_size=100).read(numbered(["gone"] * 5 + ["here"] * 1000)):
        exported.metrics.observe(step)
    assert exported.series("prequential_recall", "label") == {"here"}


@pytest.mark.parametrize("label", ['"', "\\", "\n", "{}", "läbel", "a,b=c"])
def test_any_label_can_be_read_back(
    exported: Exported, consumer: Any, numbered: Callable[..., Any], label: str
) -> None:
    """A label of any characters does not break the page."""
    for step in consumer().read(numbered([label])):
        exported.metrics.observe(step)
    assert exported.series("prequential_recall", "label") == {label}


def test_experts(exported: Exported, consumer: Any, numbered: Any) -> None:
    """A blend's experts have scores and shares of their own; another learner has no experts."""
    (step,) = consumer().read(numbered("a"))
    exported.metrics.observe(step)
    assert exported.series("expert_share", "expert") == set()
    scores = {
        "latent": Scores(9, 0.75, 0.5, 0.5, 0.25, {}),
        "bayes": Scores(9, 0.5, 0.5, 0.5, 1.5, {}),
    }
    shares = {"latent": 0.9, "bayes": 0.1}
    exported.metrics.observe(
        replace(step, scores=replace(step.scores, experts=scores), shares=shares)
    )
    for name, expert in scores.items():
        assert exported.value("expert_accuracy", expert=name) == expert.accuracy
        assert exported.value("expert_log_loss", expert=name) == expert.log_loss
        assert exported.value("expert_share", expert=name) == shares[name]
