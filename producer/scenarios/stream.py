"""The parts of scenarios: the items of a stream, times in it, and the scenario's context."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from newsreel.common.errors import UserError
from newsreel.events.change import Change
from newsreel.events.document import Document
from newsreel.events.label import Label

Item = Document | Label | Change
"""A document, the label of an earlier document, or a change from the next document on."""

Stream = Iterator[Item]

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_WHEN = re.compile(r"(\d+(?:\.\d*)?)([smhd]?)", re.ASCII)


class ScenarioError(UserError):
    """The scenario is unknown, or the corpus does not fit it."""


@dataclass(frozen=True, slots=True)
class When:
    """A number of documents or of seconds: a place in a stream, or the length of a part of it.

    Parameters
    ----------
    amount
        Number of documents, or of seconds.
    in_seconds
        Whether the amount is in seconds.

    Examples
    --------
    >>> When.parse("2500"), When.parse("10m")
    (When(amount=2500.0, in_seconds=False), When(amount=600.0, in_seconds=True))
    """

    amount: float
    in_seconds: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``2500`` (documents), ``90s``, ``10m``, ``2h`` or ``1d``.

        Raises
        ------
        ValueError
            The text is written otherwise.
        """
        match = _WHEN.fullmatch(text)
        if match is None:
            raise ValueError(
                "should be a number of documents such as 2500, or a time such as 90s, 10m"
            )
        amount, unit = match.groups()
        return cls(float(amount) * UNITS[unit], bool(unit))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: type[Any], _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse)


NOW = When(0)

SOON = When(2500)
"""A place where a model has learned the first labels of a stream such as 20 Newsgroups."""

A_WHILE = When(1000)


@dataclass(frozen=True, slots=True)
class ScenarioContext:
    """The labels, random numbers and times that a scenario may use.

    Parameters
    ----------
    labels
        All labels of the corpus, sorted.
    random
        Random numbers of this scenario alone.
    seconds
        Returns when a document is due, in seconds since the first one. Its arguments are the number
        of the document in the stream and the document.
    """

    labels: Sequence[str]
    random: Random
    seconds: Callable[[int, Document], float]

    def since(self, number: int, document: Document, start: When) -> float:
        """Return the documents or seconds from ``start`` to a document; negative before it."""
        now = self.seconds(number, document) if start.in_seconds else number
        return now - start.amount

    def progress(self, number: int, document: Document, start: When, width: When) -> float:
        """Return the progress of a change: 0 up to ``start``, 1 from ``start + width`` on.

        Raises
        ------
        ScenarioError
            One of ``start`` and ``width`` is in documents, the other in seconds.
        """
        if width.amount and start.in_seconds != width.in_seconds:
            raise ScenarioError(
                "start and width of a change are both in documents or both in time: write both as"
                " numbers, or both with s, m, h or d"
            )
        since = self.since(number, document, start)
        if since < 0 or not width.amount:
            return float(since >= 0)
        return min(1.0, since / width.amount)


@dataclass(slots=True)
class Transition:
    """Announces a change once when it begins, and once when it is complete.

    Parameters
    ----------
    scenario, what, details
        Fields of the `Change` to announce.
    """

    scenario: str
    what: str
    details: dict[str, Any]
    _progress: float = 0.0

    def announce(self, progress: float) -> Iterator[Change]:
        """Yield the changes to announce at a progress from 0 to 1."""
        before, self._progress = self._progress, progress
        if before == 0.0 < progress < 1.0:
            yield Change(self.scenario, f"{self.what} begins", self.details)
        if before < 1.0 <= progress:
            yield Change(self.scenario, self.what, self.details)


def each(stream: Stream, change: Callable[[int, Document], Iterator[Item]]) -> Stream:
    """Apply a function to each document of a stream; labels and changes pass unchanged.

    Parameters
    ----------
    stream
        Stream to change.
    change
        Returns the items that replace a document. Its arguments are the number of the document and
        the document.
    """
    number = 0
    for item in stream:
        if isinstance(item, Document):
            yield from change(number, item)
            number += 1
        else:
            yield item
