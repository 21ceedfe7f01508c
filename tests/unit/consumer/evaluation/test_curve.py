"""A curve has a bounded number of evenly spaced points."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from consumer.evaluation.curve import MAX_POINTS, Curve


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.integers(1, 10**4))
def test_points(numbers: list[int], step: int) -> None:
    """Points grow in documents, the latest point is always shown, and their number is bounded."""
    curve = Curve()
    for number in numbers:
        for documents in range(number, number + 20 * step, step):
            curve.add(documents, [0.5, float(documents)])
            assert curve.points[-1] == [documents, 0.5, float(documents)]
            assert len(curve.thinned) <= MAX_POINTS
            assert len(curve.points) <= MAX_POINTS + 1
    assert all(first[0] < second[0] for first, second in pairwise(curve.points))


def test_even_spacing() -> None:
    """In a long stream, points are as far apart at its beginning as at its end."""
    curve = Curve()
    for documents in range(0, 10_000_000, 5000):
        curve.add(documents, [0.0])
    gaps = [second[0] - first[0] for first, second in pairwise(curve.thinned)]
    assert len(curve.points) >= MAX_POINTS // 2
    assert max(gaps) <= 3 * min(gaps)


def test_discarded_history() -> None:
    """A point at fewer documents, as after a restore, removes the points at more documents."""
    curve = Curve()
    for documents in (10, 20, 30, 25):
        curve.add(documents, [documents / 100])
    assert curve.points == [[10, 0.1], [20, 0.2], [25, 0.25]]


def test_same_number_of_documents() -> None:
    """A second point at the same number of documents replaces the first."""
    curve = Curve()
    for value in (0.5, 0.75):
        curve.add(10, [value])
    assert curve.points == [[10, 0.75]]


def test_state() -> None:
    """A curve that is restored from a state continues like the original."""
    curve, restored = Curve(), Curve()
    for documents in range(0, 3 * MAX_POINTS, 2):
        curve.add(documents, [0.0])
    restored.load_state_dict(curve.state_dict())
    for documents in range(3 * MAX_POINTS, 5 * MAX_POINTS):
        for each in (curve, restored):
            each.add(documents, [0.0])
    assert restored.points == curve.points
    assert restored.state_dict() == curve.state_dict()
