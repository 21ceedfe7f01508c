"""The blend weighs experts by their predictions, and is no worse than the best expert."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from helpers import Restore, Saved, apply_update
from numpy.typing import NDArray

from consumer.features.extractor import Features
from consumer.learners.blend import Blend
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch, log_loss

NO_REPLAY = TrainingBatch([], [])

LABELS = 4

Rows = NDArray[np.float32]


class Scripted:
    """An expert that predicts given rows in turn, and learns nothing."""

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


def skilled(targets: NDArray[np.int64], skill: float, seed: int, sharpness: float = 1.0) -> Rows:
    """Draw predictions: the more skill, the more probable the true label."""
    noise = np.random.default_rng(seed).normal(size=(len(targets), LABELS))
    return softmax(sharpness * (noise + skill * np.eye(LABELS)[targets]))


def stream(count: int = 2000) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(LABELS, size=count)


def teach(blend: Blend, targets: Sequence[int], size: int = 8) -> list[Predictions]:
    """Teach the blend a stream, and return its predictions before each step."""
    history = []
    for start in range(0, len(targets), size):
        some = [int(target) for target in targets[start : start + size]]
        features: list[Features] = [{} for _ in some]
        history.append(blend.predict_many(features))
        loss = apply_update(blend.propose(TrainingBatch(features, some), NO_REPLAY, history[-1]))
        assert loss == pytest.approx(log_loss(history[-1].probabilities, some))
    return history


def losses(
    history: Sequence[Predictions], targets: Sequence[int], name: str | None = None
) -> float:
    rows = np.concatenate([f.probabilities if name is None else f.experts[name] for f in history])
    return log_loss(rows, targets)


def test_the_better_expert_counts_for_more() -> None:
    """Against an expert that guesses, a good expert soon has nearly all the weight."""
    targets = stream()
    blend = Blend(
        {"good": Scripted(skilled(targets, 3, 1)), "random": Scripted(skilled(targets, 0, 2))}
    )
    history = teach(blend, targets)
    assert history[0].shares == {"good": 0.5, "random": 0.5}
    assert history[-1].shares["good"] > 0.9
    assert sum(history[-1].shares.values()) == pytest.approx(1)


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
    """Over a stream the mixture's loss is close to that of the best expert or below."""
    targets = stream()
    rows = [skilled(targets, skill, n, sharp) for n, (skill, sharp) in enumerate((one, other))]
    history = teach(Blend({"one": Scripted(rows[0]), "other": Scripted(rows[1])}), targets)
    best = min(losses(history, targets, name) for name in ("one", "other"))
    assert losses(history, targets) < best + 0.02
    late = slice(len(history) // 2, None)
    recent = targets[len(targets) // 2 :]
    best = min(losses(history[late], recent, name) for name in ("one", "other"))
    assert losses(history[late], recent) < best + 0.01


def test_better_than_each() -> None:
    """Experts with independent errors are better together than alone."""
    targets = stream()
    rows = {name: Scripted(skilled(targets, 2, seed)) for seed, name in enumerate("abc")}
    history = teach(Blend(rows), targets)
    assert losses(history, targets) < 0.8 * min(losses(history, targets, name) for name in "abc")


def test_follows_a_change() -> None:
    """When another expert becomes the better one, that expert gets the greater share."""
    targets = stream(6000)
    good, bad = skilled(targets, 3, 1), skilled(targets, 0, 2)
    half = len(targets) // 2
    first = np.concatenate([good[:half], bad[half:]])
    then = np.concatenate([bad[:half], good[half:]])
    history = teach(Blend({"first": Scripted(first), "then": Scripted(then)}), targets)
    assert history[len(history) // 2].shares["first"] > 0.7
    assert history[-1].shares["then"] > 0.7


def test_gradient_and_curvature() -> None:
    """The weights take a Newton step on the log-loss of the mixture."""
    targets = [0, 3, 1, 1, 2, 0]
    rows = [skilled(np.array(targets), skill, seed) for seed, skill in enumerate((2, 1, 0))]
    blend = Blend({str(n): Scripted(each) for n, each in enumerate(rows)})
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
    decay = 0.999 ** len(targets)
    expected = decay * curvature + hessian + (1 - decay) * 100 * np.eye(3)
    np.testing.assert_allclose(blend._curvature, expected, rtol=1e-3, atol=1e-2)
    step = np.linalg.solve(expected, gradient)
    assert np.linalg.norm(step) < 0.1  # else it would be cut
    np.testing.assert_allclose(blend._weights, weights - step, atol=1e-4)


def test_certain_expert() -> None:
    """An expert that is certain and wrong costs a bounded loss."""
    rows = np.array([[1, 0, 0, 0]] * 160, dtype=np.float32)
    sure = Scripted(rows)
    history = teach(Blend({"sure": sure, "wise": Scripted(rows[:, ::-1].copy())}), [3] * 160)
    assert all(np.isfinite(predictions.probabilities).all() for predictions in history)
    assert history[-1].probabilities[0, 3] > 0.9


def test_unknown_labels() -> None:
    """Labels without an output, or a single label, do not change the weights."""
    rows = skilled(np.zeros(4, dtype=int), 2, 1)
    blend = Blend({"one": Scripted(rows), "other": Scripted(rows[::-1].copy())})
    features: list[Features] = [{}] * 4
    before = blend._weights.copy()
    predictions = blend.predict_many(features)
    apply_update(blend.propose(TrainingBatch(features, [7, 8, 9, 10]), NO_REPLAY, predictions))
    np.testing.assert_array_equal(blend._weights, before)
    single = Blend({"one": Scripted(np.ones((4, 1), dtype=np.float32))})
    history = teach(single, [0] * 4, size=4)
    assert history[0].probabilities.tolist() == [[1.0]] * 4


def test_experts_get_their_own_predictions() -> None:
    """Each expert's probabilities are part of the result, and are handed back to that expert."""
    targets = stream(8)
    experts = {"a": Scripted(skilled(targets, 3, 1)), "b": Scripted(skilled(targets, 0, 2))}
    (predictions,) = teach(Blend(experts), targets)
    for name, expert in experts.items():
        np.testing.assert_array_equal(predictions.experts[name], expert.rows)
        np.testing.assert_array_equal(expert.asked[0].probabilities, expert.rows)


def test_restored(restore: Restore, saved: Saved) -> None:
    """Weights, curvature and experts continue bit for bit after a restart."""
    targets = stream(400)

    def make() -> Blend:
        return Blend({str(n): Scripted(skilled(targets, n, n)) for n in range(3)})

    uninterrupted, stopped, restored = make(), make(), make()
    teach(uninterrupted, targets)
    teach(stopped, targets[:160])
    restore(stopped, restored)
    teach(restored, targets[160:])
    assert saved(restored) == saved(uninterrupted)


def test_single_expert() -> None:
    """A single expert is tempered, and keeps its ranking and its share."""
    targets = stream(400)
    rows = skilled(targets, 2, 1, sharpness=3)
    history = teach(Blend({"one": Scripted(rows)}), targets)
    assert history[-1].shares == {"one": pytest.approx(1)}
    mixed = np.concatenate([predictions.probabilities for predictions in history])
    assert (mixed.argmax(1) == rows.argmax(1)).all()
    assert log_loss(mixed[200:], targets[200:]) <= log_loss(rows[200:], targets[200:]) + 0.01


def test_redundant_expert() -> None:
    """The weight of a noisy copy of an expert ends near 0, and never below."""
    targets = stream()
    good = skilled(targets, skill=2.0, seed=1)
    noise = np.random.default_rng(2).normal(size=good.shape)
    worse = softmax(np.log(good).astype(np.float64) + 1.5 * noise)
    both, alone = (
        Blend({"good": Scripted(good), "worse": Scripted(worse)}),
        Blend({"good": Scripted(good)}),
    )
    for blend in (both, alone):
        for start in range(0, len(targets), 16):
            features: list[Features] = [{} for _ in targets[start : start + 16]]
            predictions = blend.predict_many(features)
            batch = TrainingBatch(features, [int(t) for t in targets[start : start + 16]])
            apply_update(blend.propose(batch, NO_REPLAY, predictions))
    assert 0 <= both._weights[1] < 0.1 * both._weights[0]
    assert both._weights[0] == pytest.approx(alone._weights[0], rel=0.1)
