"""Arrival times of documents."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer import arrivals
from producer.arrivals import Timetable
from producer.scenarios.stream import Item, ScenarioError

rates = st.floats(0.01, 1e5)

START = datetime(1993, 4, 1, tzinfo=UTC)


class FakeClock:
    """A clock that advances only when the test sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def seconds(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def documents(count: int) -> list[Item]:
    return [Document(str(number), "text") for number in range(count)]


def arrival_times(
    schedule: Iterable[float], count: int, work: Callable[[int], float] = lambda _: 0.0
) -> list[float]:
    """Return the seconds from the first item to each; reading an item takes ``work`` seconds."""
    clock = FakeClock()
    times = []
    due = Timetable(iter(schedule), None).due
    stream = arrivals.paced(iter(documents(count)), due, clock.seconds, clock.sleep)
    for number, _ in enumerate(stream):
        times.append(clock.now - 1000.0)
        clock.now += work(number)
    return times


@given(rate=rates, count=st.integers(1, 200))
def test_constant_rate(rate: float, count: int) -> None:
    """The n-th document arrives n / rate seconds after the first."""
    assert arrival_times(arrivals.constant(rate), count) == pytest.approx(
        [n / rate for n in range(count)]
    )


@given(rate=rates, works=st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_no_drift(rate: float, works: list[float]) -> None:
    """A slow reader delays only the documents that it reads too late."""
    times = arrival_times(arrivals.constant(rate), len(works), work=lambda number: works[number])
    free = 0.0
    for number, time in enumerate(times):
        assert time == pytest.approx(max(number / rate, free), abs=1e-6)
        free = time + works[number]


def test_poisson_gaps() -> None:
    """Gaps of Poisson arrivals have the mean and the spread of an exponential distribution."""
    times = list(itertools.islice(arrivals.poisson(20.0, Random(0)), 20_000))
    gaps = [after - before for before, after in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.05, rel=0.03)
    assert spread == pytest.approx(0.05, rel=0.03)


SCHEDULES: dict[str, Callable[[float, Random], Iterator[float]]] = {
    "poisson": arrivals.poisson,
    "bursts": lambda rate, random: arrivals.bursts(rate, 60.0, random),
    "day and night": lambda rate, random: arrivals.day_and_night(rate, 60.0, random),
}


@pytest.mark.parametrize("name", SCHEDULES)
@given(seed=st.integers(), rate=rates)
def test_arrivals_are_seeded(name: str, seed: int, rate: float) -> None:
    """The same seed gives the same arrival times, in ascending order."""
    first, second = (
        list(itertools.islice(SCHEDULES[name](rate, Random(seed)), 50)) for _ in range(2)
    )
    assert first == second == sorted(first)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("bursts", [4.0, 0.25, 0.25, 0.25, 0.25]), ("day and night", [0.32, 1.23, 1.9, 1.23, 0.32])],
)
def test_rate_varies(name: str, parts: list[float]) -> None:
    """The mean rate is as given, and each fifth of a period has its own rate."""
    times = itertools.takewhile(lambda time: time < 6000, SCHEDULES[name](10.0, Random(0)))
    fifths = [int(time % 60 // 12) for time in times]
    assert len(fifths) == pytest.approx(60_000, rel=0.03)
    for fifth, share in enumerate(parts):
        assert fifths.count(fifth) == pytest.approx(12_000 * share, rel=0.05)


def test_own_times() -> None:
    """Without a rate, documents arrive at their own times, faster by a factor.

    A document that is older than an earlier one of the stream arrives with that one.
    """
    days: list[Item] = [
        Document(str(n), "text", time=None if day is None else START + timedelta(day))
        for n, day in enumerate([0, 1, None, 3, 2, 10])
    ]
    clock = FakeClock()
    due = Timetable(None, 86400.0).due
    times = [clock.now - 1000 for _ in arrivals.paced(iter(days), due, clock.seconds, clock.sleep)]
    assert times == [0, 1, 1, 3, 3, 10]


def test_no_time() -> None:
    """Without a rate and a speedup, the error names both options."""
    with pytest.raises(ScenarioError, match="--rate or --speedup"):
        Timetable(None, None).due(0, Document("1", "text"))


def test_starts_with_the_first_item() -> None:
    """The stream starts with its first item, however long reading the first item takes."""
    clock = FakeClock()

    def items() -> Iterator[Item]:
        clock.now += 60
        yield from documents(3)

    due = Timetable(arrivals.constant(1.0), None).due
    times = [clock.now for _ in arrivals.paced(items(), due, clock.seconds, clock.sleep)]
    assert times == [1060.0, 1061.0, 1062.0]


def test_resumed_stream() -> None:
    """A resumed stream keeps its timetable; only documents are delayed."""
    clock = FakeClock()
    due = Timetable(iter([0.0, 5.0, 7.0, 20.0]), None).due
    rest = [documents(1)[0], Change("some", "change"), documents(1)[0]]
    times = [
        clock.now for _ in arrivals.paced(iter(rest), due, clock.seconds, clock.sleep, first=2)
    ]
    assert times == [1000.0, 1000.0, 1013.0]
