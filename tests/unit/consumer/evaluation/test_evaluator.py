"""Scores agree with scikit-learn, over the whole stream and over the sliding window."""

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from consumer.evaluation.evaluator import (
    FADING_FACTOR,
    WINDOW,
    Evaluator,
    LabelProbability,
    Prediction,
    Scores,
)
from consumer.evaluation.scores import Outcome, SlidingScores
from consumer.learners.protocol import LEAST_PROBABILITY
from newsreel.events.document import Document

NO_LABEL = "(no label)"
"""Label of a missing prediction for scikit-learn; never a true label."""

outcomes = st.tuples(
    st.sampled_from("abcd"), st.sampled_from("abcde") | st.none(), st.floats(0, 1, width=32)
)


def predictions(outcomes: Sequence[tuple[str | None, str | None, float]]) -> list[Prediction]:
    return [
        Prediction(
            Document(str(number), "text", truth), LabelProbability(predicted, 0.5, probability)
        )
        for number, (truth, predicted, probability) in enumerate(outcomes)
    ]


def expected(outcomes: Sequence[tuple[str, str | None, float]]) -> dict[str, Any]:
    """Compute the scores with scikit-learn."""
    truths = [truth for truth, _, _ in outcomes]
    predicted = [NO_LABEL if label is None else label for _, label, _ in outcomes]
    labels = sorted({*truths, *predicted} - {NO_LABEL})
    recalls = metrics.recall_score(truths, predicted, labels=sorted(set(truths)), average=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kappa of a single label is 0 / 0
        kappa = metrics.cohen_kappa_score(truths, predicted)
    return {
        "documents": len(outcomes),
        "accuracy": metrics.accuracy_score(truths, predicted),
        "macro_f1": metrics.f1_score(
            truths, predicted, labels=labels, average="macro", zero_division=0
        ),
        "kappa": kappa,
        "log_loss": np.mean([-math.log(max(p, LEAST_PROBABILITY)) for _, _, p in outcomes]),
        "recall": dict(zip(sorted(set(truths)), recalls, strict=True)),
    }


def calibration_error(outcomes: Sequence[tuple[str, str | None, float]]) -> float:
    """Compute the expected calibration error by the formula of Guo et al. (2017)."""
    confidence = np.array([p for _, _, p in outcomes])
    correct = np.array([label == truth for truth, label, _ in outcomes], dtype=float)
    bins = np.minimum((10 * confidence).astype(int), 9)
    return sum(
        (bins == b).mean() * abs(correct[bins == b].mean() - confidence[bins == b].mean())
        for b in set(bins.tolist())
    )


def check(scores: Scores, outcomes: Sequence[tuple[str, str | None, float]]) -> None:
    """Check scores against scikit-learn."""
    for name, value in expected(outcomes).items():
        assert getattr(scores, name) == pytest.approx(value, abs=1e-9, nan_ok=True), name


@settings(deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=40))
@example([("a", "a", 1.0)] * 3)  # with a single label, kappa is 0 / 0
@example([("a", None, 0.0)])
@example([("a", "b", 0.0), ("a", "b", 0.0)])  # a label never predicted, another never true
def test_agrees_with_scikit_learn(outcomes: list[tuple[str, str | None, float]]) -> None:
    """Accuracy, macro-F1, kappa and recall agree with scikit-learn on any predictions."""
    evaluator = Evaluator()
    evaluator.update(predictions(outcomes))
    check(evaluator.scores().whole, outcomes)
    check(evaluator.scores().window, outcomes)


def test_log_loss_agrees_with_scikit_learn() -> None:
    """The log-loss in nats agrees with scikit-learn."""
    random = np.random.default_rng(0)
    rows = random.dirichlet([0.5, 0.5, 0.5], size=200).clip(1e-5)
    rows /= rows.sum(1, keepdims=True)
    numbers = random.integers(3, size=200)
    evaluator = Evaluator()
    evaluator.update(
        predictions(
            [
                ("abc"[number], "abc"[row.argmax()], float(row[number]))
                for number, row in zip(numbers, rows, strict=True)
            ]
        )
    )
    truths = ["abc"[number] for number in numbers]
    assert evaluator.scores().whole.log_loss == pytest.approx(
        metrics.log_loss(truths, rows, labels=["a", "b", "c"])
    )


def drifting(count: int) -> list[tuple[str, str | None, float]]:
    """Return outcomes of a stream whose labels and difficulty change over time."""
    random = np.random.default_rng(1)
    stream: list[tuple[str, str | None, float]] = []
    for number in range(count):
        truth = f"label {number // 400 + int(random.integers(2))}"
        predicted = truth if random.random() < number / count else f"label {random.integers(8)}"
        stream.append(
            (truth, predicted if random.random() < 0.95 else None, float(random.random()))
        )
    return stream


@pytest.mark.parametrize("count", [WINDOW - 1, WINDOW, WINDOW + 1, 2600])
def test_window_is_the_last_thousand(count: int) -> None:
    """The scores of the window are those of the latest 1000 labelled documents."""
    outcomes = drifting(count)
    evaluator = Evaluator()
    evaluator.update(predictions(outcomes))
    check(evaluator.scores().window, outcomes[-1000:])
    check(evaluator.scores().whole, outcomes)


def test_fading_accuracy_follows_its_formula() -> None:
    """The i-th of n documents has the weight factor ** (n - i) (Gama et al. 2013)."""
    outcomes = drifting(900)
    evaluator = Evaluator()
    evaluator.update(predictions(outcomes))
    weights = [FADING_FACTOR ** (len(outcomes) - i) for i in range(1, len(outcomes) + 1)]
    hits = [truth == predicted for truth, predicted, _ in outcomes]
    faded = sum(w for w, hit in zip(weights, hits, strict=True) if hit) / sum(weights)
    assert evaluator.scores().fading_accuracy == pytest.approx(faded)


def test_unlabelled_documents_do_not_count() -> None:
    """Documents without a label change no score."""
    outcomes: list[tuple[str | None, str | None, float]] = [*drifting(1500)]
    mixed = [x for outcome in outcomes for x in (outcome, (None, "label 0", 0.0))]
    with_them, without_them = Evaluator(), Evaluator()
    with_them.update(predictions(mixed))
    without_them.update(predictions(outcomes))
    assert with_them.scores() == without_them.scores()


def test_no_labelled_documents() -> None:
    """Before the first labelled document, all scores are nan."""
    evaluator = Evaluator()
    evaluator.update(predictions([(None, "a", 0.0)]))
    scores = evaluator.scores()
    for part in (scores.whole, scores.window):
        assert part.documents == 0
        assert part.recall == {}
        assert all(map(math.isnan, (part.accuracy, part.macro_f1, part.kappa, part.log_loss)))
    assert math.isnan(scores.fading_accuracy)


@pytest.mark.parametrize("stop", [0, 700, 1000, 1700])
def test_restored_state_gives_the_same_scores(stop: int) -> None:
    """An evaluator that is restored from JSON has exactly the scores of one without a restart."""
    stream = predictions(drifting(2100))
    uninterrupted, stopped, restored = Evaluator(), Evaluator(), Evaluator()
    uninterrupted.update(stream)
    stopped.update(stream[:stop])
    restored.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    restored.update(stream[stop:])
    assert restored.scores() == uninterrupted.scores()


def blend_predictions(experts: dict[str, list[tuple[str, str | None, float]]]) -> list[Prediction]:
    """Return predictions of a blend that follows its first expert, with those of all experts."""
    columns = {name: predictions(outcomes) for name, outcomes in experts.items()}
    return [
        Prediction(
            row[0].document,
            row[0].predicted,
            dict(zip(columns, [p.predicted for p in row], strict=True)),
        )
        for row in zip(*columns.values(), strict=True)
    ]


def test_experts_are_scored_over_the_window() -> None:
    """Each expert of a blend has the scores of its own latest 1000 predictions."""
    truths = drifting(1300)
    random = np.random.default_rng(2)
    others: list[tuple[str, str | None, float]] = [
        (truth, f"label {random.integers(8)}", float(random.random())) for truth, _, _ in truths
    ]
    evaluator = Evaluator()
    evaluator.update(blend_predictions({"one": truths, "other": others}))
    scores = evaluator.scores()
    check(scores.window, truths[-1000:])
    assert list(scores.experts) == ["one", "other"]
    check(scores.experts["one"], truths[-1000:])
    check(scores.experts["other"], others[-1000:])


@pytest.mark.parametrize("stop", [0, 300, 1200])
def test_restored_state_gives_the_same_scores_of_experts(stop: int) -> None:
    """A restored evaluator has exactly the expert scores of one without a restart."""
    stream = blend_predictions({"one": drifting(1500), "other": drifting(1500)[::-1]})
    stream = [replace(prediction, document=stream[0].document) for prediction in stream]
    uninterrupted, stopped, restored = Evaluator(), Evaluator(), Evaluator()
    uninterrupted.update(stream)
    stopped.update(stream[:stop])
    restored.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    restored.update(stream[stop:])
    assert restored.scores() == uninterrupted.scores()


@settings(deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=40))
def test_calibration_error(outcomes: list[tuple[str, str | None, float]]) -> None:
    """The calibration error of a window is the expected calibration error of its outcomes."""
    window = SlidingScores(15)
    for truth, predicted, confidence in outcomes:
        window.add(Outcome(truth, predicted, 0.0, confidence))
    assert window.scores().calibration_error == pytest.approx(
        calibration_error(outcomes[-15:]), abs=1e-6
    )


def test_confused_labels() -> None:
    """The most frequent errors of the window come first; right predictions are not reported."""
    window = SlidingScores(6)
    for truth, predicted in ["xy", "ab", "ab", "aa", "ba", "ab", "cd"]:
        window.add(Outcome(truth, predicted, 0.0, 0.5))
    window.add(Outcome("e", None, 0.0, 0.0))
    assert window.confused(2) == [("a", "b", 2), ("b", "a", 1)]
