"""Progress and summary: strict JSON at all times, bounded, and continued over a restart."""

import itertools
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import build_loop, numbered, read

from consumer.evaluation.curve import MAX_POINTS
from consumer.evaluation.evaluator import LabelProbability
from consumer.evaluation.scores import NO_SCORES, Scores
from consumer.kafka.batch import DeadLetter
from consumer.loop.step import Step
from consumer.monitoring.progress import EXCERPT_CHARACTERS, MISTAKES, Progress
from consumer.monitoring.summary import summarize
from newsreel.events.document import Document
from newsreel.events.errors import Reason


def strict(value: Any) -> Any:
    """Encode as strict JSON, without NaN, and decode again."""
    return json.loads(json.dumps(value, allow_nan=False))


def new_progress() -> Progress:
    ticks = itertools.count()
    return Progress(clock=lambda: float(next(ticks)))


@settings(deadline=None)
@given(
    labels=st.lists(st.sampled_from(["a", "b", None]), max_size=40),
    groups=st.lists(st.integers(0, 5), max_size=30),
)
def test_strict_json_at_every_stage(labels: list[str | None], groups: list[int]) -> None:
    """Before, between and after steps, snapshot and summary are strict JSON."""
    shown = new_progress()
    steps = [None, *read(build_loop(batch_size=3), numbered(labels), groups=groups)]
    for step in steps:
        if step is not None:
            shown.observe(step)
        assert strict(shown.snapshot()) == shown.snapshot()
        for heldout in (None, NO_SCORES):
            assert (
                strict(summarize(shown.snapshot(), heldout, model="m", seed=0))["heldout_accuracy"]
                is None
            )
    assert shown.documents == shown.snapshot()["documents"] == len(labels)
    assert shown.snapshot()["unlabelled"] == labels.count(None)


def test_learner_that_diverged() -> None:
    """A learner whose loss is NaN or infinite still gives strict JSON."""
    shown = new_progress()
    (step,) = read(build_loop(), numbered("a"))
    broken = replace(step.predictions[0], predicted=LabelProbability("b", math.nan, math.nan))
    worse = replace(step.scores, whole=replace(step.scores.whole, log_loss=math.inf))
    shown.observe(replace(step, labelled=replace(step.labelled, scored=[broken]), scores=worse))
    snapshot = strict(shown.snapshot())
    assert snapshot["mistakes"][0]["probability"] is None
    assert snapshot["prequential"]["whole"]["log_loss"] is None


def test_counts_and_latest_values() -> None:
    """Counts add up over steps; scores, labels, lag and buffer are those of the last step."""
    letter = DeadLetter("documents", 0, 7, None, b"{", [], Reason.NOT_JSON, "why")
    shown = new_progress()
    reader = build_loop(batch_size=4, capacity=5)
    steps = read(
        reader,
        numbered(["a", "b", "a", None, "a", "a", "b"]),
        groups=[4, 1, 2],
        dead_letters=[letter],
    )
    for step in steps[:2]:
        shown.observe(step)
    assert shown.snapshot()["lag"] == 2
    shown.observe(steps[2])
    snapshot = shown.snapshot()
    wanted = {"documents": 7, "unlabelled": 1, "learned": 6, "replayed": 3, "dead_letters": 1}
    assert wanted.items() <= snapshot.items()
    assert shown.steps == 2
    assert (snapshot["labels"], snapshot["lag"], snapshot["replay_buffer"]) == (2, 0, 5)
    scores = steps[-1].scores
    assert snapshot["prequential"]["whole"]["accuracy"] == scores.whole.accuracy
    assert snapshot["prequential"]["window"]["recall"] == scores.window.recall
    summary = summarize(snapshot, scores.whole, model="m")
    assert summary["model"] == "m"
    assert summary["documents"] == 7
    assert summary["unlabelled_documents"] == 1
    assert summary["prequential_accuracy"] == scores.whole.accuracy
    assert summary["prequential_accuracy_last_1000"] == scores.window.accuracy
    assert summary["heldout_accuracy"] == scores.whole.accuracy
    assert summary["heldout_documents"] == 6
    assert summary["peak_rss_mb"] > 1


def test_documents_per_second() -> None:
    """The rate excludes the wait before the first document and after the last one."""
    seconds = 0.0
    shown = Progress(clock=lambda: seconds)
    (last,) = read(build_loop(), [])
    shown.observe(last)
    seconds += 1000.0
    for step in read(build_loop(batch_size=5), numbered("ab" * 10)):
        seconds += 2.0
        last = replace(step, seconds={"fetch": 0.0, "predict": 0.5, "learn": 1.5})
        shown.observe(last)
    seconds += 1000.0
    shown.observe(replace(last, predictions=[], learned=None, seconds={}))
    assert shown.snapshot()["documents_per_second"] == pytest.approx(20 / 8)


def test_latest_mistakes() -> None:
    """The latest wrong predictions are shown as excerpts, but none from before the first label."""
    documents = [Document("first", "no label is known yet", "a")]
    documents += [Document(f"right {n}", "text", "a") for n in range(60)]
    documents += [Document(f"wrong {n}", "x" * 5000, "b") for n in range(70)]
    documents += [Document("unlabelled", "text")]
    shown = new_progress()
    for step in read(build_loop(batch_size=1), documents):
        shown.observe(step)
    mistakes = shown.snapshot()["mistakes"]
    assert [mistake["id"] for mistake in mistakes] == [f"wrong {n}" for n in range(20, 70)]
    assert len(mistakes) == MISTAKES
    assert all(len(mistake["text"]) == EXCERPT_CHARACTERS for mistake in mistakes)
    assert all((m["label"], m["predicted"]) == ("b", "a") for m in mistakes)


def feed(shown: Progress, step: Step, counts: range) -> list[int]:
    """Observe a step at each count of scored documents; returns the lengths of the curve."""
    lengths = []
    for count in counts:
        whole = replace(step.scores.whole, documents=count, accuracy=count / 1e6)
        shown.observe(replace(step, scores=replace(step.scores, whole=whole)))
        lengths.append(len(shown.snapshot()["curve"]) if count % 7 == 0 else 0)
    return lengths


@pytest.mark.parametrize("stride", [1, 16, 100])
def test_curve_is_bounded_and_even(stride: int) -> None:
    """However long the stream, the curve has few points, spread over the whole stream."""
    shown = new_progress()
    (step,) = read(build_loop(), numbered("a"))
    end = stride * 8000
    lengths = feed(shown, step, range(stride, end + 1, stride))
    assert max(lengths) <= MAX_POINTS
    curve = shown.snapshot()["curve"]
    assert len(curve) >= MAX_POINTS / 4
    counts = [scored for scored, _, _ in curve]
    assert all(accuracy == scored / 1e6 for scored, accuracy, _ in curve)
    gaps = [after - before for before, after in itertools.pairwise([0, *counts, end])]
    assert min(gaps) >= 0
    assert max(gaps) <= end / (MAX_POINTS / 8)


@pytest.mark.parametrize("stop", [0, 5, 1500])
def test_restart(stop: int) -> None:
    """Counts and curve continue after a restart as without one."""
    (step,) = read(build_loop(), numbered("a"))
    uninterrupted, stopped, restored = new_progress(), new_progress(), new_progress()
    feed(uninterrupted, step, range(1, 3001))
    feed(stopped, step, range(1, stop + 1))
    restored.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    assert strict(restored.snapshot())["documents"] == stop
    feed(restored, step, range(stop + 1, 3001))
    assert restored.documents == uninterrupted.documents
    assert restored.snapshot()["curve"] == uninterrupted.snapshot()["curve"]
    assert restored.state_dict() == uninterrupted.state_dict()


def test_experts() -> None:
    """Experts of a blend and their shares stay over an empty step, and over a restart."""
    (step,) = read(build_loop(), numbered("a"))
    experts = {
        "latent": Scores(9, 0.75, 0.5, math.nan, 0.25, 0.125, {}, {}),
        "bayes": NO_SCORES,
    }
    blended = replace(step, scores=replace(step.scores, experts=experts))
    shown, restored = new_progress(), new_progress()
    assert summarize(shown.snapshot(), None)["experts_share"] == {}
    shown.observe(replace(blended, expert_shares={"latent": 0.9, "bayes": 0.1}))
    shown.observe(replace(blended, predictions=[], learned=None, expert_shares={}))
    restored.load_state_dict(strict(shown.state_dict()))
    for either in (shown, restored):
        summary = strict(summarize(either.snapshot(), None))
        assert summary["experts_share"] == {"latent": 0.9, "bayes": 0.1}
        assert summary["experts_accuracy_last_1000"] == {"latent": 0.75, "bayes": None}
        assert either.snapshot()["prequential"]["experts"]["latent"]["log_loss"] == 0.25


def test_pace() -> None:
    """The pace excludes waiting: unlike the rate of the run it stays while nothing arrives."""
    seconds = 0.0
    shown = Progress(lambda: seconds)
    assert shown.snapshot()["pace"] is None
    for step in read(build_loop(batch_size=5), numbered("ab" * 10)):
        seconds += 1000.0
        shown.observe(replace(step, seconds={"fetch": 998.0, "predict": 0.5, "learn": 1.5}))
    assert shown.snapshot()["pace"] == pytest.approx(20 / 8)
