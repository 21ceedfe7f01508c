"""The analytic learner solves least squares, whatever the order of the documents."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from helpers import apply_update
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.features.extractor import Features
from consumer.learners.analytic import SHARPNESS, AnalyticRidge
from consumer.learners.protocol import TrainingBatch, log_loss

WIDTH, RIDGE = 12, 3.0

NO_REPLAY = TrainingBatch([], [])


def stream(count: int, labels: int = 4, seed: int = 0) -> tuple[torch.Tensor, list[int]]:
    """Draw inputs that depend on their labels; every label occurs."""
    random = np.random.default_rng(seed)
    targets = [*range(labels), *random.integers(labels, size=count - labels)]
    centres = random.normal(size=(labels, WIDTH))
    inputs = centres[targets] + random.normal(size=(count, WIDTH))
    return torch.from_numpy(inputs).float(), [int(target) for target in targets]


def rows(inputs: torch.Tensor) -> list[Features]:
    return [{"pooled": row.unsqueeze(0)} for row in inputs]


def learned(inputs: torch.Tensor, targets: Sequence[int], sizes: Sequence[int]) -> AnalyticRidge:
    learner = AnalyticRidge(WIDTH, RIDGE)
    start = 0
    for size in [*sizes, len(targets)]:
        if features := rows(inputs[start : start + size]):
            predictions = learner.predict_many(features)
            batch = TrainingBatch(features, targets[start : start + size])
            assert apply_update(learner.propose(batch, NO_REPLAY, predictions)) == log_loss(
                predictions.probabilities, batch.targets
            )
        start += size
    return learner


def closed_form(inputs: torch.Tensor, targets: Sequence[int]) -> torch.Tensor:
    """Solve the normal equations of ridge regression on one-hot labels, in double precision."""
    x = torch.cat([inputs, torch.ones(len(inputs), 1)], 1).double()
    y = torch.nn.functional.one_hot(torch.tensor(targets)).double()
    return torch.linalg.solve(x.T @ x + RIDGE * torch.eye(WIDTH + 1).double(), x.T @ y)


@pytest.mark.parametrize("sizes", [[1] * 300, [16] * 20, [300], [1, 40, 3, 100]])
def test_is_the_closed_form_solution(sizes: list[int]) -> None:
    """The weights are the ridge solution, whatever the sizes of the batches."""
    inputs, targets = stream(300)
    learner = learned(inputs, targets, sizes)
    expected = closed_form(inputs, targets)
    torch.testing.assert_close(learner._weights.double(), expected, atol=1e-4, rtol=1e-3)
    new, _ = stream(50, seed=1)
    scores = torch.cat([new, torch.ones(50, 1)], 1).double() @ expected
    probabilities = learner.predict_many(rows(new)).probabilities
    np.testing.assert_allclose(probabilities, (SHARPNESS * scores).softmax(1), atol=1e-3)


@settings(deadline=None, max_examples=30)
@given(order=st.permutations(range(60)), sizes=st.lists(st.integers(1, 20), max_size=20))
def test_order_does_not_matter(order: list[int], sizes: list[int]) -> None:
    """The same documents in any order and any batches lead to the same predictions."""
    inputs, targets = stream(60)
    one = learned(inputs, targets, [])
    other = learned(inputs[order], [targets[index] for index in order], sizes)
    new = rows(stream(20, seed=1)[0])
    np.testing.assert_allclose(
        one.predict_many(new).probabilities, other.predict_many(new).probabilities, atol=1e-3
    )


def test_stays_exact_over_a_long_stream() -> None:
    """Rounding errors do not add up over thousands of steps."""
    inputs, targets = stream(20_000)
    learner = learned(inputs, targets, [16] * 1250)
    expected = closed_form(inputs, targets)
    torch.testing.assert_close(learner._weights.double(), expected, atol=1e-4, rtol=1e-2)


def test_late_label() -> None:
    """Documents before a label's first one count against the label, as if it had been known."""
    inputs, targets = stream(100, labels=3)
    late = [index for index, target in enumerate(targets) if target == 2]
    early = [index for index, target in enumerate(targets) if target != 2]
    order = early + late
    learner = learned(inputs[order], [targets[index] for index in order], [len(early)])
    torch.testing.assert_close(
        learner._weights.double(), closed_form(inputs, targets), atol=1e-4, rtol=1e-3
    )


def test_replay_changes_nothing() -> None:
    """Replayed documents are ignored: they would count twice."""
    inputs, targets = stream(40)
    learner = learned(inputs, targets, [])
    new = rows(inputs[:4])
    assert learner.replay_features(new[0]) == {}
    before = learner._weights.clone()
    replayed = TrainingBatch([{} for _ in new], targets[:4])
    other = learned(inputs, targets, [])
    for one, replay in ((learner, replayed), (other, NO_REPLAY)):
        apply_update(one.propose(TrainingBatch(new, targets[:4]), replay, one.predict_many(new)))
    assert torch.equal(learner._weights, other._weights)
    assert not torch.equal(learner._weights, before)


def test_inverse_stays_positive() -> None:
    """After 20,000 inputs with a large common mean, the inverse is still positive definite."""
    random = np.random.default_rng(3)
    learner = AnalyticRidge(WIDTH, RIDGE)
    for _ in range(100):
        inputs = torch.from_numpy(random.normal(size=(200, WIDTH)) * 0.1 + 40).float()
        targets = [int(target) for target in random.integers(3, size=200)]
        batch = TrainingBatch(rows(inputs), targets)
        apply_update(learner.propose(batch, NO_REPLAY, learner.predict_many(batch.features)))
    smallest = float(torch.linalg.eigvalsh(learner._inverse).min())
    assert smallest == pytest.approx(1 / (20_000 * WIDTH * 40**2), rel=0.1)
