"""Gradient steps: the adjusted loss, the average of the weights, and growing outputs."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Restore, Saved, apply_update
from torch import Tensor, nn

from consumer.learners.config import TrainingConfig
from consumer.learners.gradient import (
    PRIOR_DECAY,
    GradientSteps,
)
from consumer.learners.protocol import RejectedError

WIDTH = 6

CPU = torch.device("cpu")


class Linear(nn.Module):
    """A minimal body."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(WIDTH, WIDTH)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        vectors: Tensor = self.map(torch.stack(list(inputs)))
        return vectors


def make(**options: Any) -> GradientSteps:
    defaults: dict[str, Any] = {
        "optimizer": "adamw",
        "learning_rate": 1e-2,
        "head_learning_rate": 1e-1,
        "averaging": 0.0,
        "logit_adjustment": 0.0,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GradientSteps(Linear(), WIDTH, CPU, TrainingConfig(**(defaults | options)))


def step(steps: GradientSteps, inputs: list[Tensor], targets: list[int]) -> float:
    return apply_update(steps.propose("latent", inputs, targets))


def batch(seed: int, count: int = 8, labels: int = 3) -> tuple[list[Tensor], list[int]]:
    generator = torch.Generator().manual_seed(seed)
    targets = [number % labels for number in range(count)]
    centres = torch.eye(WIDTH)[targets]
    return list(centres + 0.3 * torch.randn(count, WIDTH, generator=generator)), targets


def weights(steps: GradientSteps) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in steps.state_dict()["parameters"].items()}


def averages(steps: GradientSteps) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in steps.state_dict()["averages"].items()}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_first_loss(optimizer: str) -> None:
    """The first loss is the logarithm of the number of labels: all are equally probable."""
    assert step(make(optimizer=optimizer), *batch(0)) == pytest.approx(math.log(3), abs=1e-5)


def test_without_an_average() -> None:
    """With an averaging of 0, the weights of the last step predict."""
    steps = make(averaging=0.0)
    for seed in range(4):
        step(steps, *batch(seed))
    inputs, _ = batch(9)
    with torch.inference_mode():
        expected = steps._model(inputs).softmax(1).numpy()
    np.testing.assert_array_equal(steps.predict(inputs), expected)


def test_average_formula() -> None:
    """After each step the average moves toward the weights, faster at first."""
    steps = make(averaging=0.5)
    step(steps, *batch(0))  # has grown, so that shapes stay the same from now on
    expected = averages(steps)
    for number in range(2, 12):
        step(steps, *batch(number))
        decay = min(0.5, (1 + number) / (10 + number))
        now = weights(steps)
        expected = {n: decay * t + (1 - decay) * now[n] for n, t in expected.items()}
    for name, tensor in averages(steps).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-6)


def test_average_predicts() -> None:
    """The average predicts, and converges to weights that no longer change."""
    steps = make(averaging=0.9)
    still = make(averaging=0.0)
    for seed in range(5):
        step(steps, *batch(seed))
        step(still, *batch(seed))
    inputs, _ = batch(99)
    assert not np.allclose(steps.predict(inputs), still.predict(inputs), atol=1e-4)
    for _ in range(200):
        steps._update_average()
    np.testing.assert_allclose(steps.predict(inputs), still.predict(inputs), atol=1e-4)


def test_average_does_not_change_training() -> None:
    """The average follows the weights, and the weights do not depend on the average."""
    averaged, plain = make(averaging=0.99), make(averaging=0.0)
    for seed in range(5):
        assert step(averaged, *batch(seed)) == step(plain, *batch(seed))
    assert all(torch.equal(t, weights(plain)[n]) for n, t in weights(averaged).items())


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_logit_adjustment(strength: float) -> None:
    """The loss adds the log of the label's recent share to each logit."""
    steps = make(logit_adjustment=strength)
    prior = torch.zeros(3)
    for seed, targets in enumerate([[0, 0, 0, 0, 0, 1, 2, 0], [0, 1, 0, 2, 0, 0, 0, 0]] * 3):
        inputs, _ = batch(seed)
        prior = PRIOR_DECAY * prior + torch.bincount(torch.tensor(targets), minlength=3)
        share = (prior + 1e-3) / (prior + 1e-3).sum()
        steps._grow(3)
        with torch.inference_mode():
            logits = steps._model(inputs) + strength * share.log()
        expected = nn.functional.cross_entropy(logits, torch.tensor(targets))
        assert step(steps, inputs, targets) == pytest.approx(float(expected), rel=1e-5)


def test_logit_adjustment_makes_up_for_imbalance() -> None:
    """Uninformative inputs lead to the prior; with the adjustment, to equal probabilities."""
    noise = [torch.zeros(WIDTH)] * 8
    answers = {}
    for strength in (0.0, 1.0):
        steps = make(logit_adjustment=strength, head_learning_rate=5e-2)
        for _ in range(150):
            step(steps, noise, [0] * 6 + [1] * 2)
        answers[strength] = steps.predict(noise[:1])[0]
    assert answers[0.0] == pytest.approx([0.75, 0.25], abs=0.05)
    assert answers[1.0] == pytest.approx([0.5, 0.5], abs=0.05)


@pytest.mark.parametrize("labels", [3, 5])
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6])
def test_rejected(saved: Saved, value: float, labels: int) -> None:
    """A loss that is not a number, or too large, is not learned, and adds no labels."""
    steps = make(averaging=0.9, logit_adjustment=1.0)
    step(steps, *batch(0))
    before, predicted = saved(steps), steps.predict(batch(9)[0])
    inputs, targets = batch(1, labels=labels)
    inputs[0] = torch.full((WIDTH,), value)
    with pytest.raises(RejectedError, match=r"^the mean loss is \S+ nats; up to 50 is"):
        steps.propose("latent", inputs, targets)
    assert saved(steps) == before
    np.testing.assert_array_equal(steps.predict(batch(9)[0]), predicted)


def test_rejected_gradient(saved: Saved) -> None:
    """A gradient that is not a number is rejected before it changes the parameters."""
    steps = make(averaging=0.9)
    step(steps, *batch(0))
    before = saved(steps)
    hook = steps._model.body.map.weight.register_hook(lambda gradient: gradient * math.nan)  # type: ignore[operator, union-attr]
    with pytest.raises(RejectedError, match=r"gradient"):
        steps.propose("latent", *batch(1))
    assert saved(steps) == before
    hook.remove()
    untouched = make(averaging=0.9)
    for seed in (0, 1):
        step(untouched, *batch(seed))
    step(steps, *batch(1))
    assert saved(steps) == saved(untouched)


def test_gradients_are_clipped() -> None:
    """A step moves the weights by no more than the rate allows, however large the loss."""
    steps = make(optimizer="sgd", learning_rate=1e-1, head_learning_rate=1e-1)
    step(steps, *batch(0))
    before = weights(steps)
    steps._optimizer.state.clear()
    step(steps, [1e4 * row for row in batch(1)[0]], batch(1)[1])
    moved = torch.cat([(t - before[n]).flatten() for n, t in weights(steps).items()])
    assert 0 < float(moved.norm()) <= 0.1 * 1.001


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_growing_keeps_moments(optimizer: str) -> None:
    """The moments of old rows stay when a label is added; those of the new row are zero."""
    steps = make(optimizer=optimizer)
    step(steps, *batch(0, count=5, labels=2))
    before = {name: dict(state) for name, state in steps.state_dict()["optimizer"].items()}
    steps._grow(3)
    after = steps.state_dict()["optimizer"]
    for parameter in ("weight", "bias"):
        moments = [name for name, tensor in before[parameter].items() if tensor.dim()]
        assert moments
        for name in moments:
            assert before[parameter][name].any()
            assert torch.equal(after[parameter][name][:2], before[parameter][name])
            assert not after[parameter][name][2:].any()


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_growing_keeps_predictions(averaging: float) -> None:
    """A new label does not change the ratios of the old labels' probabilities."""
    steps = make(averaging=averaging)
    for seed in range(6):
        step(steps, *batch(seed, labels=2))
    inputs, _ = batch(99)
    before = steps.predict(inputs)
    steps._grow(4)
    after = steps.predict(inputs)
    assert after.shape == (8, 4)
    old = after[:, :2] / after[:, :2].sum(1, keepdims=True)
    assert old == pytest.approx(before, abs=1e-5)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_restored(restore: Restore, saved: Saved, optimizer: str, averaging: float) -> None:
    """With any optimizer, before and after new labels, a restart changes no bit."""
    options = {"optimizer": optimizer, "averaging": averaging, "logit_adjustment": 1.0}
    uninterrupted, stopped = make(**options), make(**options)
    for seed in range(6):
        labels = 2 + seed // 2
        assert step(uninterrupted, *batch(seed, labels=labels)) == step(
            stopped, *batch(seed, labels=labels)
        )
        restored = make(**options)
        restore(stopped, restored)
        stopped = restored
    assert saved(stopped) == saved(uninterrupted)


def test_restored_with_other_rates(restore: Restore) -> None:
    """Learning rates are those of this run, not those of the checkpoint."""
    steps, still = make(), make(learning_rate=0.0, head_learning_rate=0.0)
    step(steps, *batch(0))
    restore(steps, still)
    before = weights(still)
    step(still, *batch(1))
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(still).items())
