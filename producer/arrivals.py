"""When documents arrive.

A schedule is an endless series of moments, in seconds since the first document was at hand.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

from newsreel.events.document import Document
from producer.scenarios.stream import ScenarioError, Stream


def constant(rate: float) -> Iterator[float]:
    """Space arrivals evenly; ``rate`` is in arrivals per second."""
    return (number / rate for number in itertools.count())


def poisson(rate: float, random: Random) -> Iterator[float]:
    """Draw the arrivals of a Poisson process; ``rate`` is their mean per second."""
    return itertools.accumulate(random.expovariate(rate) for _ in itertools.count())


def bursts(rate: float, period: float, random: Random) -> Iterator[float]:
    """Draw arrivals that come in bursts; ``rate`` is their mean per second.

    Of each ``period``, in seconds, the first fifth brings four times as many as the mean, the rest
    a quarter.
    """

    def varied(moment: float) -> float:
        return 4.0 if moment % period < period / 5 else 0.25

    return _varying(rate, varied, 4.0, random)


def day_and_night(rate: float, period: float, random: Random) -> Iterator[float]:
    """Draw arrivals that swell and ebb; ``rate`` is their mean per second.

    A day takes ``period`` seconds and begins at midnight, when a tenth of the mean arrives; at noon
    it is nearly twice the mean.
    """

    def varied(moment: float) -> float:
        return 1.0 - 0.9 * math.cos(2 * math.pi * moment / period)

    return _varying(rate, varied, 1.9, random)


def _varying(
    rate: float, varied: Callable[[float], float], most: float, random: Random
) -> Iterator[float]:
    """Draw a Poisson process whose rate varies, by thinning one of its highest rate.

    Lewis and Shedler 1979, "Simulation of nonhomogeneous Poisson processes by thinning".
    """
    for moment in poisson(rate * most, random):
        if random.random() * most < varied(moment):
            yield moment


class Timetable:
    """When each document is due, in seconds since the first one.

    Parameters
    ----------
    schedule
        Moments, one for each document of the stream; or None: then by its own time.
    speedup
        Seconds of the documents' own time that pass in one second; None if nothing waits for it.
    """

    def __init__(self, schedule: Iterator[float] | None, speedup: float | None) -> None:
        self._schedule = schedule
        self._speedup = speedup
        self._moments: list[float] = []
        self._first: datetime | None = None
        self._last = 0.0

    def due(self, number: int, document: Document) -> float:
        """Return when a document is due.

        Raises
        ------
        ScenarioError
            Nothing says so.
        """
        if self._schedule is not None:
            while len(self._moments) <= number:
                self._moments.append(next(self._schedule))
            return self._moments[number]
        if self._speedup is None:
            raise ScenarioError(
                "without --rate or --speedup the stream has no time: write start, width and period"
                " as numbers of documents"
            )
        if document.time is not None:
            self._first = self._first or document.time
            since = (document.time - self._first).total_seconds() / self._speedup
            self._last = max(self._last, since)
        return self._last


def paced(
    stream: Stream,
    due: Callable[[int, Document], float],
    clock: Callable[[], float],
    sleep: Callable[[float], object],
    first: int = 0,
) -> Stream:
    """Hold each document back until its moment has come.

    Moments are absolute, so that neither rounding nor a slow taker shifts the later ones: what
    is late comes at once.

    Parameters
    ----------
    due
        The moment of a document, given its number, too.
    clock
        Seconds on a clock that never goes back.
    sleep
        Waits for some seconds, or for less when the stream should end.
    first
        Number of the first document.
    """
    start: float | None = None
    number = first
    for item in stream:
        if isinstance(item, Document):
            moment = due(number, item)
            number += 1
            if start is None:  # only now is the corpus read
                start = clock() - moment
            if (wait := start + moment - clock()) > 0:
                sleep(wait)
        yield item
