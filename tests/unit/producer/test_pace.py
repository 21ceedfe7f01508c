"""When documents arrive."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer import pace

rates = st.floats(0.01, 1e5)


class Time:
    """A clock that moves only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def arrivals(
    schedule: Iterable[float], count: int, work: Callable[[int], float] = lambda _: 0.0
) -> list[float]:
    """Seconds from the first item to each, where handling an item takes ``work`` seconds."""
    time = Time()
    moments = []
    for number in pace.paced(range(count), schedule, time.clock, time.sleep):
        moments.append(time.now - 1000.0)
        time.now += work(number)
    return moments


@given(rate=rates, count=st.integers(1, 200))
def test_constant_rate(rate: float, count: int) -> None:
    """The n-th document comes n / rate seconds after the first."""
    assert arrivals(pace.constant(rate), count) == pytest.approx([n / rate for n in range(count)])


@given(rate=rates, works=st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_no_drift(rate: float, works: list[float]) -> None:
    """A slow taker delays what it takes too late, and nothing else."""
    moments = arrivals(pace.constant(rate), len(works), work=lambda number: works[number])
    free = 0.0
    for number, moment in enumerate(moments):
        assert moment == pytest.approx(max(number / rate, free), abs=1e-6)
        free = moment + works[number]


def test_poisson_gaps() -> None:
    """Gaps of Poisson arrivals have the mean and the spread of an exponential distribution."""
    moments = list(itertools.islice(pace.poisson(20.0, Random(0)), 20_000))
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.05, rel=0.03)
    assert spread == pytest.approx(0.05, rel=0.03)


@given(seed=st.integers(), rate=rates)
def test_poisson_is_seeded(seed: int, rate: float) -> None:
    """The same seed gives the same arrivals, each after the one before."""
    first, second = (list(itertools.islice(pace.poisson(rate, Random(seed)), 50)) for _ in range(2))
    assert first == second == sorted(first)


def test_at_once() -> None:
    """Without a rate nothing waits."""
    assert arrivals(pace.at_once(), 5) == [0.0] * 5


def test_starts_with_the_first_item() -> None:
    """The time it takes to get the first item is not caught up."""
    time = Time()

    def items() -> Iterator[int]:
        time.now += 60
        yield from range(3)

    moments = [time.now for _ in pace.paced(items(), pace.constant(1.0), time.clock, time.sleep)]
    assert moments == [1060.0, 1061.0, 1062.0]
