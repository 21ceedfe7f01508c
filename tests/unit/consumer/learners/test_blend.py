"""The blend: who predicts well counts for more, and the mixture is no worse than the best."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from helpers import accepted
from numpy.typing import NDArray

from consumer.features.extractor import Features
from consumer.learners.blend import Blend
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch, log_loss

NOTHING = TrainingBatch([], [])

LABELS = 4

Rows = NDArray[np.float32]


class Told:
    """An expert that says what it was told to say next, and learns nothing."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.next = 0
        self.asked: list[Predictions] = []

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        return Predictions(self.rows[self.next : self.next + len(features)])

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        def apply() -> None:
            self.asked.append(predictions)
            self.next += len(new)

        return StagedUpdate(0.0, apply)

    def replay_features(self, features: Features) -> Features:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {"next": self.next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.next = state["next"]


def softmax(scores: NDArray[np.float64]) -> Rows:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    rows: Rows = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    return rows


def opinions(targets: NDArray[np.int64], skill: float, seed: int, sharpness: float = 1.0) -> Rows:
    """Make predictions: the more skill, the more probable the truth."""
    noise = np.random.default_rng(seed).normal(size=(len(targets), LABELS))
    return softmax(sharpness * (noise + skill * np.eye(LABELS)[targets]))


def stream(count: int = 2000) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(LABELS, size=count)


def teach(blend: Blend, targets: Sequence[int], size: int = 8) -> list[Predictions]:
    """Teach it a stream; returns what it said before each lesson."""
    said = []
    for start in range(0, len(targets), size):
        some = [int(target) for target in targets[start : start + size]]
        features: list[Features] = [{} for _ in some]
        said.append(blend.predict_many(features))
        loss = accepted(blend.propose(TrainingBatch(features, some), NOTHING, said[-1]))
        assert loss == pytest.approx(log_loss(said[-1].probabilities, some))
    return said


def losses(said: Sequence[Predictions], targets: Sequence[int], name: str | None = None) -> float:
    rows = np.concatenate([f.probabilities if name is None else f.experts[name] for f in said])
    return log_loss(rows, targets)


def test_the_better_expert_counts_for_more() -> None:
    """Of one that knows and one that guesses, the one that knows soon has nearly all the weight."""
    targets = stream()
    blend = Blend({"good": Told(opinions(targets, 3, 1)), "random": Told(opinions(targets, 0, 2))})
    said = teach(blend, targets)
    assert said[0].shares == {"good": 0.5, "random": 0.5}
    assert said[-1].shares["good"] > 0.9
    assert sum(said[-1].shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((3, 1), (0, 1)),  # one knows, one guesses
        ((2, 1), (2, 1)),  # both know something
        ((2, 1), (2, 9)),  # one of them is far too sure
        ((2, 1), (0, 9)),  # one is sure of nonsense
        ((2, 0.1), (1, 0.1)),  # neither is sure enough
    ],
)
def test_no_worse_than_the_best(one: tuple[float, float], other: tuple[float, float]) -> None:
    """Over a stream the mixture loses little to the best of its experts, however they are."""
    targets = stream()
    rows = [opinions(targets, skill, n, sharp) for n, (skill, sharp) in enumerate((one, other))]
    said = teach(Blend({"one": Told(rows[0]), "other": Told(rows[1])}), targets)
    best = min(losses(said, targets, name) for name in ("one", "other"))
    assert losses(said, targets) < best + 0.02
    late = slice(len(said) // 2, None)
    recent = targets[len(targets) // 2 :]
    best = min(losses(said[late], recent, name) for name in ("one", "other"))
    assert losses(said[late], recent) < best + 0.01


def test_better_than_each() -> None:
    """Experts that know different things know more together."""
    targets = stream()
    rows = {name: Told(opinions(targets, 2, seed)) for seed, name in enumerate("abc")}
    said = teach(Blend(rows), targets)
    assert losses(said, targets) < 0.8 * min(losses(said, targets, name) for name in "abc")


def test_follows_a_change() -> None:
    """When another expert becomes the better one, it gets the greater share."""
    targets = stream(6000)
    good, bad = opinions(targets, 3, 1), opinions(targets, 0, 2)
    half = len(targets) // 2
    first = np.concatenate([good[:half], bad[half:]])
    then = np.concatenate([bad[:half], good[half:]])
    said = teach(Blend({"first": Told(first), "then": Told(then)}), targets)
    assert said[len(said) // 2].shares["first"] > 0.7
    assert said[-1].shares["then"] > 0.7


def test_gradient_and_curvature() -> None:
    """Weights are moved by a Newton step on the log-loss of the mixture."""
    targets = [0, 3, 1, 1, 2, 0]
    rows = [opinions(np.array(targets), skill, seed) for seed, skill in enumerate((2, 1, 0))]
    blend = Blend({str(n): Told(each) for n, each in enumerate(rows)})
    logs = np.log(0.98 * np.stack(rows).astype(np.float64) + 0.02 / LABELS)

    def loss(weights: NDArray[np.float64]) -> float:
        scores = np.tensordot(weights, logs, 1)
        log_sums = np.log(np.exp(scores).sum(1))
        return float((log_sums - scores[range(len(targets)), targets]).sum())

    weights, curvature, tiny = blend._weights.copy(), blend._curvature.copy(), 1e-4
    steps = tiny * np.eye(3)
    gradient = np.array([(loss(weights + s) - loss(weights - s)) / (2 * tiny) for s in steps])
    hessian = np.array(
        [
            [
                (loss(weights + a + b) - loss(weights + a - b) - loss(weights - a + b))
                + loss(weights - a - b)
                for a in steps
            ]
            for b in steps
        ]
    ) / (4 * tiny**2)
    teach(blend, targets)
    kept = 0.999 ** len(targets)
    expected = kept * curvature + hessian + (1 - kept) * 100 * np.eye(3)
    np.testing.assert_allclose(blend._curvature, expected, rtol=1e-3, atol=1e-2)
    step = np.linalg.solve(expected, gradient)
    assert np.linalg.norm(step) < 0.1  # else it would be cut
    np.testing.assert_allclose(blend._weights, weights - step, atol=1e-4)


def test_certainty_of_one_does_not_silence_the_others() -> None:
    """An expert that gives the truth no chance at all costs no more than a bounded loss."""
    rows = np.array([[1, 0, 0, 0]] * 160, dtype=np.float32)
    sure = Told(rows)
    said = teach(Blend({"sure": sure, "wise": Told(rows[:, ::-1].copy())}), [3] * 160)
    assert all(np.isfinite(predictions.probabilities).all() for predictions in said)
    assert said[-1].probabilities[0, 3] > 0.9


def test_what_no_expert_can_know_teaches_nothing() -> None:
    """Labels that nobody had an output for, or a single label, say nothing about the experts."""
    rows = opinions(np.zeros(4, dtype=int), 2, 1)
    blend = Blend({"one": Told(rows), "other": Told(rows[::-1].copy())})
    features: list[Features] = [{}] * 4
    before = blend._weights.copy()
    predictions = blend.predict_many(features)
    accepted(blend.propose(TrainingBatch(features, [7, 8, 9, 10]), NOTHING, predictions))
    np.testing.assert_array_equal(blend._weights, before)
    single = Blend({"one": Told(np.ones((4, 1), dtype=np.float32))})
    said = teach(single, [0] * 4, size=4)
    assert said[0].probabilities.tolist() == [[1.0]] * 4


def test_each_expert_is_given_its_own_forecast() -> None:
    """Opinions come out as they were said, and each goes back to who said it."""
    targets = stream(8)
    experts = {"a": Told(opinions(targets, 3, 1)), "b": Told(opinions(targets, 0, 2))}
    (said,) = teach(Blend(experts), targets)
    for name, expert in experts.items():
        np.testing.assert_array_equal(said.experts[name], expert.rows)
        np.testing.assert_array_equal(expert.asked[0].probabilities, expert.rows)


def test_restored_goes_on(restore: Any, saved: Any) -> None:
    """Weights, curvature and experts outlast a restart, to the last bit."""
    targets = stream(400)

    def make() -> Blend:
        return Blend({str(n): Told(opinions(targets, n, n)) for n in range(3)})

    uninterrupted, stopped, restored = make(), make(), make()
    teach(uninterrupted, targets)
    teach(stopped, targets[:160])
    restore(stopped, restored)
    teach(restored, targets[160:])
    assert saved(restored) == saved(uninterrupted)


def test_a_blend_of_one_is_that_one() -> None:
    """A single expert is tempered, and keeps its ranking and its share."""
    targets = stream(400)
    rows = opinions(targets, 2, 1, sharpness=3)
    said = teach(Blend({"one": Told(rows)}), targets)
    assert said[-1].shares == {"one": pytest.approx(1)}
    mixed = np.concatenate([predictions.probabilities for predictions in said])
    assert (mixed.argmax(1) == rows.argmax(1)).all()
    assert log_loss(mixed[200:], targets[200:]) <= log_loss(rows[200:], targets[200:]) + 0.01


def test_an_expert_that_only_repeats_another_worse_gets_no_say() -> None:
    """Its weight ends near 0, never below, and the other's is what it would be alone."""
    targets = stream()
    good = opinions(targets, skill=2.0, seed=1)
    noise = np.random.default_rng(2).normal(size=good.shape)
    worse = softmax(np.log(good).astype(np.float64) + 1.5 * noise)
    both, alone = Blend({"good": Told(good), "worse": Told(worse)}), Blend({"good": Told(good)})
    for blend in (both, alone):
        for start in range(0, len(targets), 16):
            features: list[Features] = [{} for _ in targets[start : start + 16]]
            predictions = blend.predict_many(features)
            lesson = TrainingBatch(features, [int(t) for t in targets[start : start + 16]])
            accepted(blend.propose(lesson, NOTHING, predictions))
    assert 0 <= both._weights[1] < 0.1 * both._weights[0]
    assert both._weights[0] == pytest.approx(alone._weights[0], rel=0.1)
