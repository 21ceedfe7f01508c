"""A scenario in which labels arrive later than their documents, or never."""

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
    context: ScenarioContext,
    *,
    mean: float = 500.0,
    missing: float = 0.1,
    spread: Literal["exponential", "uniform", "none"] = "exponential",
) -> Stream:
    """Separate labels from their documents: labels arrive later, on the topic of labels.

    Labels that are still due at the end of the stream follow its last document.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    mean
        Mean delay of a label, in documents.
    missing
        Share of the labels that never arrive, from 0 to 1.
    spread
        Distribution of the delays: exponential, uniform from 0 to twice the mean, or all equal.
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
        yield from _pop_due(due, number)
        yield replace(item, label=None)
        delay = _delay(context, mean, spread)
        if item.label is not None and context.random.random() >= missing:
            heapq.heappush(due, (number + delay, number, Label(item.id, item.label)))
        number += 1
    yield from _pop_due(due, float("inf"))


def _delay(context: ScenarioContext, mean: float, spread: str) -> float:
    if spread == "exponential" and mean:
        return context.random.expovariate(1 / mean)
    return context.random.uniform(0, 2 * mean) if spread == "uniform" else mean


def _pop_due(due: list[tuple[float, int, Label]], number: float) -> Iterator[Item]:
    """Remove and yield the labels that are due before a document."""
    while due and due[0][0] < number:
        yield heapq.heappop(due)[2]
