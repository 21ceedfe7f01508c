"""Labels that come later than their documents, or never."""

import heapq
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from newsreel.events.change import Change
from newsreel.events.document import Document
from newsreel.events.label import Label
from producer.scenarios.stream import Item, ScenarioContext, ScenarioError, Stream


def delayed_labels(
    stream: Stream,
    world: ScenarioContext,
    *,
    mean: float = 500.0,
    missing: float = 0.1,
    spread: Literal["exponential", "uniform", "none"] = "exponential",
) -> Stream:
    """Part labels from their documents: they come so many documents later, on a topic of their own.

    Those that are left when the documents are over come at once.

    Parameters
    ----------
    mean
        Documents between a document and its label, on the mean.
    missing
        Share of the labels that never come.
    spread
        How delays are distributed: exponentially, evenly from 0 to twice the mean, or all alike.
    """
    if mean < 0 or not 0 <= missing <= 1:
        raise ScenarioError("delayed-labels: mean is 0 or more, and missing from 0 to 1")
    due: list[tuple[float, int, Label]] = []
    number = 0
    yield Change("delayed-labels", "labels come later", {"mean": mean, "missing": missing})
    for item in stream:
        if not isinstance(item, Document):
            yield item
            continue
        yield from _until(due, number)
        yield replace(item, label=None)
        delay = _delay(world, mean, spread)
        if item.label is not None and world.random.random() >= missing:
            heapq.heappush(due, (number + delay, number, Label(item.id, item.label)))
        number += 1
    yield from _until(due, float("inf"))


def _delay(world: ScenarioContext, mean: float, spread: str) -> float:
    if spread == "exponential" and mean:
        return world.random.expovariate(1 / mean)
    return world.random.uniform(0, 2 * mean) if spread == "uniform" else mean


def _until(due: list[tuple[float, int, Label]], number: float) -> Iterator[Item]:
    """Take out the labels that are due before a document."""
    while due and due[0][0] < number:
        yield heapq.heappop(due)[2]
