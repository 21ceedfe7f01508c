"""When documents arrive.

A schedule is an endless series of moments, in seconds since the first document was at hand.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import TypeVar

T = TypeVar("T")


def at_once() -> Iterator[float]:
    """Never wait."""
    return itertools.repeat(0.0)


def constant(rate: float) -> Iterator[float]:
    """Space arrivals evenly; ``rate`` is in arrivals per second."""
    return (number / rate for number in itertools.count())


def poisson(rate: float, random: Random) -> Iterator[float]:
    """Draw the arrivals of a Poisson process; ``rate`` is their mean per second."""
    return itertools.accumulate(random.expovariate(rate) for _ in itertools.count())


def paced(
    items: Iterable[T],
    schedule: Iterable[float],
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> Iterator[T]:
    """Hold each item back until its moment has come.

    Moments are absolute, so that neither rounding nor a slow taker shifts the later ones: what
    is late comes at once.

    Parameters
    ----------
    items
        What arrives.
    schedule
        A moment for each item.
    clock
        Seconds on a clock that never goes back.
    sleep
        Waits for some seconds, or for less when the stream should end.
    """
    start: float | None = None
    for item, moment in zip(items, schedule, strict=False):
        if start is None:  # only now is the corpus read
            start = clock()
        if (wait := start + moment - clock()) > 0:
            sleep(wait)
        yield item
