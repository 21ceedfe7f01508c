"""Arrival times of documents.

A schedule is an endless series of arrival times, in seconds since the start of the stream.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

from newsreel.events.document import Document
from producer.scenarios.stream import ScenarioError, Stream


def constant(rate: float) -> Iterator[float]:
    """Return evenly spaced arrival times; ``rate`` is in arrivals per second."""
    return (number / rate for number in itertools.count())


def poisson(rate: float, random: Random) -> Iterator[float]:
    """Draw the arrival times of a Poisson process; ``rate`` is in arrivals per second."""
    return itertools.accumulate(random.expovariate(rate) for _ in itertools.count())


def bursts(rate: float, period: float, random: Random) -> Iterator[float]:
    """Draw arrival times in bursts: a Poisson process with a rate of two levels.

    Parameters
    ----------
    rate
        Mean arrivals per second.
    period
        Seconds between the beginnings of two bursts. In the first fifth of each period the rate is
        four times the mean, in the rest a quarter of the mean.
    random
        Random numbers to draw from.
    """

    def relative_rate(time: float) -> float:
        return 4.0 if time % period < period / 5 else 0.25

    return _varying(rate, relative_rate, 4.0, random)


def day_and_night(rate: float, period: float, random: Random) -> Iterator[float]:
    """Draw arrival times of day and night: a Poisson process with a sinusoidal rate.

    Parameters
    ----------
    rate
        Mean arrivals per second.
    period
        Seconds of a day. The day begins at midnight, when the rate is 0.1 times the mean; at noon
        the rate is 1.9 times the mean.
    random
        Random numbers to draw from.
    """

    def relative_rate(time: float) -> float:
        return 1.0 - 0.9 * math.cos(2 * math.pi * time / period)

    return _varying(rate, relative_rate, 1.9, random)


def _varying(
    rate: float, relative_rate: Callable[[float], float], highest: float, random: Random
) -> Iterator[float]:
    """Draw a Poisson process of varying rate, by thinning one of the highest rate.

    Lewis and Shedler 1979, "Simulation of nonhomogeneous Poisson processes by thinning".
    """
    for time in poisson(rate * highest, random):
        if random.random() * highest < relative_rate(time):
            yield time


class Timetable:
    """Arrival time of each document, in seconds since the start of the stream.

    Parameters
    ----------
    schedule
        Arrival times, one for each document of the stream; None if the documents' own times decide.
    speedup
        Seconds of the documents' own times that pass in one second; None if they are not used.

    Examples
    --------
    >>> timetable = Timetable(constant(rate=50.0), speedup=None)
    >>> timetable.due(3, Document("4", "text"))
    0.06
    """

    def __init__(self, schedule: Iterator[float] | None, speedup: float | None) -> None:
        self._schedule = schedule
        self._speedup = speedup
        self._times: list[float] = []
        self._first: datetime | None = None
        self._last = 0.0

    def due(self, number: int, document: Document) -> float:
        """Return the arrival time of a document, in seconds since the start of the stream.

        Parameters
        ----------
        number
            Number of the document in the stream, from 0.
        document
            The document, whose own time counts if there is no schedule.

        Raises
        ------
        ScenarioError
            There is neither a schedule nor a speedup.
        """
        if self._schedule is not None:
            while len(self._times) <= number:
                self._times.append(next(self._schedule))
            return self._times[number]
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
    """Delay each document until its arrival time.

    Arrival times count from the start of the stream: neither rounding nor a slow reader of the
    stream delays later documents. A document that is late is yielded at once.

    Parameters
    ----------
    stream
        Stream to delay.
    due
        Returns the arrival time of a document, as `Timetable.due` does.
    clock
        Returns the seconds of a monotonic clock.
    sleep
        Waits for some seconds, or for less if the stream shall end.
    first
        Number of the first document.
    """
    start: float | None = None
    number = first
    for item in stream:
        if isinstance(item, Document):
            time = due(number, item)
            number += 1
            if start is None:  # the corpus has been read only now
                start = clock() - time
            if (wait := start + time - clock()) > 0:
                sleep(wait)
        yield item
