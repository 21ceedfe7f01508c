"""What scenarios are made of: items of a stream, moments in it, and what they may know of it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, InstanceOf

from newsreel.common.errors import UserError
from newsreel.events.change import Change
from newsreel.events.document import Document
from newsreel.events.label import Label

Item = Document | Label | Change
"""A document, the label of one that came before, or what is different from there on."""

Stream = Iterator[Item]

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_WHEN = re.compile(r"(\d+(?:\.\d*)?)([smhd]?)", re.ASCII)


class ScenarioError(UserError):
    """There is no such scenario, or not of this stream."""


class Moment(NamedTuple):
    """Some documents, or some seconds."""

    amount: float
    seconds: bool = False


NOW = Moment(0)

SOON = Moment(2500)
"""In a stream such as 20 Newsgroups: the model has learned by then what there is."""

A_WHILE = Moment(1000)


def _span(text: object) -> object:
    if isinstance(text, Moment):
        return text
    found = _WHEN.fullmatch(str(text))
    if found is None:
        raise ValueError("should be a number of documents such as 2500, or a time such as 90s, 10m")
    amount, unit = found.groups()
    return Moment(float(amount) * UNITS.get(unit, 1.0), bool(unit))


When = Annotated[InstanceOf[Moment], BeforeValidator(_span)]
"""A `Moment` that is written as ``2500``, ``90s``, ``10m``, ``2h`` or ``1d``."""


@dataclass(frozen=True, slots=True)
class ScenarioContext:
    """What a scenario may know and use.

    Parameters
    ----------
    labels
        All of the corpus, sorted.
    random
        Of this scenario alone.
    seconds
        When a document is due, in seconds since the first one: its number in the stream, and it.
    """

    labels: Sequence[str]
    random: Random
    seconds: Callable[[int, Document], float]

    def past(self, number: int, document: Document, span: Moment) -> float:
        """Return how far the stream is beyond a moment, in the moment's own unit."""
        return (self.seconds(number, document) if span.seconds else number) - span.amount

    def ramp(self, number: int, document: Document, start: Moment, width: Moment) -> float:
        """Return how far a change has gone: 0 up to ``start``, 1 from ``start + width`` on."""
        if width.amount and start.seconds != width.seconds:
            raise ScenarioError(
                "start and width of a change are both in documents or both in time: write both as"
                " numbers, or both with s, m, h or d"
            )
        since = self.past(number, document, start)
        if since < 0 or not width.amount:
            return float(since >= 0)
        return min(1.0, since / width.amount)


@dataclass(slots=True)
class Transition:
    """Tells of a change once when it begins, and once when it is complete."""

    scenario: str
    what: str
    details: dict[str, Any]
    _gone: float = 0.0

    def told(self, gone: float) -> Iterator[Change]:
        """Take in how far it has gone, from 0 to 1."""
        before, self._gone = self._gone, gone
        if before == 0.0 < gone < 1.0:
            yield Change(self.scenario, f"{self.what} begins", self.details)
        if before < 1.0 <= gone:
            yield Change(self.scenario, self.what, self.details)


def each(stream: Stream, change: Callable[[int, Document], Iterator[Item]]) -> Stream:
    """Put in place of each document what a function makes of it and of its number."""
    number = 0
    for item in stream:
        if isinstance(item, Document):
            yield from change(number, item)
            number += 1
        else:
            yield item
