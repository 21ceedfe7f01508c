"""A curve that stays small however long the stream is."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from consumer.evaluation.curve import POINTS, Curve


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.integers(1, 10**4))
def test_points(numbers: list[int], step: int) -> None:
    """Points grow in documents, the latest is always there, and there are not too many."""
    curve = Curve()
    for number in numbers:
        for at in range(number, number + 20 * step, step):
            curve.add(at, [0.5, float(at)])
            assert curve.points[-1] == [at, 0.5, float(at)]
            assert len(curve.points) <= POINTS
    assert all(one[0] < other[0] for one, other in pairwise(curve.points))


def test_thinned_out_evenly() -> None:
    """Of a long stream, points are as far apart at its beginning as at its end."""
    curve = Curve()
    for at in range(0, 10_000_000, 5000):
        curve.add(at, [0.0])
    gaps = [other[0] - one[0] for one, other in pairwise(curve.points[:-1])]
    assert len(curve.points) >= POINTS // 2
    assert max(gaps) <= 3 * min(gaps)


def test_a_history_that_was_given_up() -> None:
    """After going back to an older checkpoint, what was beyond it is gone."""
    curve = Curve()
    for at in (10, 20, 30, 25):
        curve.add(at, [at / 100])
    assert curve.points == [[10, 0.1], [20, 0.2], [25, 0.25]]


def test_it_survives() -> None:
    """Another one goes on from what this one has kept."""
    curve, other = Curve(), Curve()
    for at in range(0, 3 * POINTS, 2):
        curve.add(at, [0.0])
    other.load_state_dict(curve.state_dict())
    for at in range(3 * POINTS, 5 * POINTS):
        for one in (curve, other):
            one.add(at, [0.0])
    assert other.points == curve.points
