"""Prometheus metrics of the loop's steps."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import ROOT
from loops import build_loop, numbered, read, with_batch
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumer.drift.adaptation import Drift
from consumer.evaluation.scores import Scores
from consumer.kafka.batch import DeadLetter
from consumer.kafka.partition_watch import PartitionStates
from consumer.loop.step import DriftStatus
from consumer.monitoring.counters import CounterFile
from consumer.monitoring.definitions import MAX_LABEL_SERIES
from consumer.monitoring.learning_definitions import LEARNING
from consumer.monitoring.learning_metrics import Metrics
from newsreel.events.errors import Reason

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Exported:
    """Metrics and the samples that a scrape reads."""

    def __init__(self, file: Path) -> None:
        self.registry = CollectorRegistry()
        self.now = 1000.0
        self.metrics = Metrics(self.registry, now=lambda: self.now)
        self.metrics.began(CounterFile(file), None, lambda: 0.5)

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
def exported(tmp_path: Path) -> Exported:
    return Exported(tmp_path / "counters.json")


def letter(reason: Reason) -> DeadLetter:
    return DeadLetter("documents", 0, 7, None, b"{", [], reason, "why")


def test_steps(exported: Exported) -> None:
    """Counters add up over steps; gauges show the last step."""
    letters = [letter(Reason.NOT_JSON), letter(Reason.NOT_JSON), letter(Reason.BAD_ID)]
    reader = build_loop(batch_size=4, replay_ratio=1.0, capacity=5)
    steps = read(
        reader,
        numbered(["a", "b", "a", None, "a", "a", "b"]),
        groups=[4, 1, 2],
        dead_letters=letters,
    )
    for step in steps:
        exported.metrics.observe(step)
    learned = [step.learned for step in steps if step.learned]
    assert exported.value("documents_total", labelled="true") == 6
    assert exported.value("documents_total", labelled="false") == 1
    assert exported.value("learned_documents_total") == 6
    assert exported.value("replayed_documents_total") == sum(x.replayed for x in learned) == 3
    assert exported.value("learning_steps_total") == 2
    assert exported.value("loss") == learned[-1].loss
    assert exported.value("replay_ratio") == learned[-1].replayed / learned[-1].documents
    assert exported.value("dead_letters_total", reason="not_json") == 2
    assert exported.value("dead_letters_total", reason="bad_id") == 1
    assert exported.value("labels") == 2
    assert exported.value("replay_buffer_documents") == 5
    assert exported.value("consumer_lag_documents", partition="0") == 0
    scores = steps[-1].scores
    for window, expected in (("whole", scores.whole), ("last_1000", scores.window)):
        assert exported.value("prequential_accuracy", window=window) == expected.accuracy
        assert exported.value("prequential_macro_f1", window=window) == expected.macro_f1
        assert exported.value("prequential_kappa", window=window) == expected.kappa
        assert exported.value("prequential_log_loss", window=window) == expected.log_loss
    assert exported.value("prequential_accuracy", window="fading") == scores.fading_accuracy
    for label in "ab":
        assert exported.value("prequential_recall", label=label) == scores.window.recall[label]


def test_drift(exported: Exported) -> None:
    """A drift is counted; forgotten labels are not counted as another drift."""
    assert exported.value("drifts_total", detector="error") == 0
    (step,) = read(build_loop(), numbered("ab"))
    detected = Drift("error", 70, 50, 0.1, 0.5)
    forgotten = Drift("error", 70, 50, forgotten=["a", "b"])
    exported.metrics.observe(
        replace(step, drift=DriftStatus([detected, forgotten], 1.25, {"error": 70}))
    )
    assert exported.value("drifts_total", detector="error") == 1
    assert exported.value("drifts_total", detector="inputs") == 0
    assert exported.value("forgotten_labels_total") == 2
    assert exported.value("drift_documents", detector="error") == 70
    assert exported.value("input_distance") == 1.25


def test_stages(exported: Exported) -> None:
    """The time of each stage is observed once a step; that of a checkpoint once a commit."""
    ticks = iter(range(1000))
    for step in read(build_loop(), numbered("ab" * 6), clock=lambda: float(next(ticks))):
        exported.metrics.observe(step)
    exported.metrics.committed(2.5, size=1000)
    exported.metrics.learning_paused(0.1)
    assert exported.series("stage_seconds_count", "stage") == {
        "fetch",
        "tokenize",
        "predict",
        "learn",
        "checkpoint",
    }
    assert exported.value("stage_seconds_count", stage="learn") == 3
    assert exported.value("stage_seconds_sum", stage="checkpoint") == 0.1
    assert exported.value("checkpoints_total") == 1
    assert exported.value("checkpoint_bytes") == 1000
    assert exported.value("commit_seconds_sum") == 2.5


def test_partition_no_longer_read(exported: Exported) -> None:
    """Only partitions of the last step have a lag."""
    (step,) = read(build_loop(), numbered("a"))
    exported.metrics.observe(with_batch(step, lag={0: 10, 1: 20}))
    assert exported.series("consumer_lag_documents", "partition") == {"0", "1"}
    exported.metrics.observe(with_batch(step, lag={1: 5}))
    assert exported.series("consumer_lag_documents", "partition") == {"1"}
    assert exported.value("consumer_lag_documents", partition="1") == 5


def test_series_are_bounded(exported: Exported) -> None:
    """However many labels a stream has, only the first hundred have a series."""
    labels = [f"label {number}" for number in range(MAX_LABEL_SERIES + 150)]
    for step in read(build_loop(batch_size=16), numbered(labels + labels)):
        exported.metrics.observe(step)
    assert exported.series("prequential_recall", "label") == set(labels[:MAX_LABEL_SERIES])
    assert exported.value("labels") == len(labels)
    assert len(exported.samples()) < 700


def test_recall_of_a_label_that_left_the_window(exported: Exported) -> None:
    """A label without a document among the last 1000 has no recall series."""
    for step in read(build_loop(batch_size=100), numbered(["gone"] * 5 + ["here"] * 1000)):
        exported.metrics.observe(step)
    assert exported.series("prequential_recall", "label") == {"here"}


@pytest.mark.parametrize("label", ['"', "\\", "\n", "{}", "läbel", "a,b=c"])
def test_label_with_any_characters(exported: Exported, label: str) -> None:
    """A label with any characters is exported and read back."""
    for step in read(build_loop(), numbered([label])):
        exported.metrics.observe(step)
    assert exported.series("prequential_recall", "label") == {label}


def test_experts(exported: Exported) -> None:
    """Experts of a blend have scores and shares; other learners have no such series."""
    (step,) = read(build_loop(), numbered("a"))
    exported.metrics.observe(step)
    assert exported.series("expert_share", "expert") == set()
    scores = {
        "latent": Scores(9, 0.75, 0.5, 0.5, 0.25, 0.125, {}, {}),
        "bayes": Scores(9, 0.5, 0.5, 0.5, 1.5, 0.5, {}, {}),
    }
    shares = {"latent": 0.9, "bayes": 0.1}
    exported.metrics.observe(
        replace(step, scores=replace(step.scores, experts=scores), expert_shares=shares)
    )
    for name, expert in scores.items():
        assert exported.value("expert_accuracy", expert=name) == expert.accuracy
        assert exported.value("expert_log_loss", expert=name) == expert.log_loss
        assert exported.value("expert_share", expert=name) == shares[name]


def test_counters_never_fall(tmp_path: Path) -> None:
    """A consumer that restarts from an older commit continues from the last scrape."""
    file = tmp_path / "counters.json"
    seen = []
    for life in range(3):
        exported = Exported(file)
        for step in read(build_loop(batch_size=4), numbered("ab" * (8 - life))):
            exported.metrics.observe(step)
        seen.append(exported.value("documents_total", labelled="true"))
        exported.metrics.keep()
        exported.metrics.observe(step)  # not scraped, and so not kept
    assert seen == [16, 30, 42]


def test_commits_write_counters(tmp_path: Path) -> None:
    """Without scrapes, a restart continues from the counters of the last commit."""
    first = Exported(tmp_path / "counters.json")
    for step in read(build_loop(), numbered("ab" * 6)):
        first.metrics.observe(step)
    first.metrics.committed(0.5, size=1000)
    restarted = Exported(tmp_path / "counters.json")
    assert restarted.value("documents_total", labelled="true") == 12


def test_fenced_consumer_writes_no_counters(tmp_path: Path) -> None:
    """A consumer that is fenced leaves the file to its successor."""
    file = tmp_path / "counters.json"
    fenced = False
    counters = CounterFile(file, lambda: fenced)
    counters.write(lambda: {"documents": {("true",): 1.0}})
    fenced = True
    counters.write(lambda: {"documents": {("true",): 2.0}})
    assert counters.read() == {"documents": {("true",): 1.0}}


@pytest.mark.parametrize("content", ["", "[[", "{}", '[["documents"]]', '[["gone", "x", 3]]', "7"])
def test_unreadable_counters(tmp_path: Path, content: str) -> None:
    """Counters start at 0 if their file is not readable."""
    (tmp_path / "counters.json").write_text(content)
    assert Exported(tmp_path / "counters.json").value("learned_documents_total") == 0


def test_standby_exports_no_counters() -> None:
    """A standby exports no counters, as they would jump when it continues from the file."""
    registry = CollectorRegistry()
    Metrics(registry)
    assert not [family.name for family in registry.collect() if family.type == "counter"]


def test_latency_and_lag_in_seconds(exported: Exported) -> None:
    """Latency and lag count from a record's timestamp; records without one have no latency."""
    (step,) = read(build_loop(), numbered("abc"))
    behind = with_batch(
        step, written=[990.0, None, 998.0], lag={0: 5, 1: 0}, reached={0: 940.0, 1: 1}
    )
    exported.metrics.observe(behind)
    assert exported.value("prediction_latency_seconds_count") == 2
    assert exported.value("prediction_latency_seconds_sum") == 12
    assert exported.value("consumer_lag_seconds", partition="0") == 60
    assert exported.value("consumer_lag_seconds", partition="1") == 0


def test_definitions(exported: Exported) -> None:
    """Exactly the definitions are exported, and their names follow Prometheus."""
    families = {family.name: family for family in exported.registry.collect()}
    assert families.keys() == {f"newsreel_{metric.name}" for metric in LEARNING}
    for metric in LEARNING:
        assert not metric.name.endswith("_total")
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")
        assert not metric.help.endswith(".")


def test_reference() -> None:
    """docs/metrics.md is what `make metrics` writes."""
    written = subprocess.run(
        [sys.executable, "docs/metrics.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert written.stdout == (ROOT / "docs" / "metrics.md").read_text(), "run make metrics"


def test_partitions(exported: Exported) -> None:
    """Each topic that is read has the number of its partitions in each state."""
    states = PartitionStates(leaderless=2, stalled=1, held_back=1, records_held_back=1000)
    exported.metrics.partitions_seen("documents", states)
    exported.metrics.partitions_seen("labels", PartitionStates())
    found = {
        state: exported.value("troubled_partitions", topic="documents", state=state)
        for state in ("leaderless", "under_replicated", "stalled", "held_back")
    }
    assert found == {"leaderless": 2, "under_replicated": 0, "stalled": 1, "held_back": 1}
    assert exported.value("held_back_records", topic="documents") == 1000
    assert exported.value("troubled_partitions", topic="labels", state="leaderless") == 0


def test_lag_in_seconds_before_the_first_record(exported: Exported) -> None:
    """A partition of which no record was read lags since its records wait, not by 0 seconds."""
    (step,) = read(build_loop(), numbered("abc"))
    for now, seconds in ((1000.0, 0.0), (1060.0, 60.0)):
        exported.now = now
        exported.metrics.observe(with_batch(step, lag={0: 300}, reached={}))
        assert exported.value("consumer_lag_seconds", partition="0") == seconds
