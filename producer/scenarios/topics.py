"""Scenarios in which topics change: one half of the labels replaces the other half.

As in MOA's streams of concept drift (Bifet et al. 2010), the stream is a mixture of two, and the
share of the second grows. Here both are parts of one corpus, and no document is used twice.
"""

from collections import deque
from collections.abc import Callable

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer.scenarios.stream import (
    A_WHILE,
    NOW,
    SOON,
    ScenarioContext,
    ScenarioError,
    Stream,
    Transition,
    When,
)

Share = Callable[[int, Document], float]
"""Returns the share of the new topics, from 0 to 1.

The arguments are the number of the document to publish, and the last document of the corpus read.
"""


def abrupt(stream: Stream, context: ScenarioContext, *, start: When = SOON) -> Stream:
    """Replace the topics from one document to the next.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    start
        Place of the change in the stream.
    """

    def share(number: int, document: Document) -> float:
        return context.progress(number, document, start, NOW)

    return _mix(stream, context, "abrupt", share)


def gradual(
    stream: Stream, context: ScenarioContext, *, start: When = SOON, width: When = A_WHILE
) -> Stream:
    """Increase the share of the new topics linearly.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    start
        Place in the stream where the change begins.
    width
        Length of the change.
    """

    def share(number: int, document: Document) -> float:
        return context.progress(number, document, start, width)

    return _mix(stream, context, "gradual", share)


def recurring(stream: Stream, context: ScenarioContext, *, period: When = SOON) -> Stream:
    """Alternate between the two halves of the topics.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    period
        Length of the parts with the same topics.

    Raises
    ------
    ScenarioError
        The period is 0.
    """
    if not period.amount:
        raise ScenarioError("recurring: period is more than 0")

    def share(number: int, document: Document) -> float:
        elapsed = context.since(number, document, When(0, period.in_seconds))
        return float(elapsed // period.amount % 2)

    return _mix(stream, context, "recurring", share)


def _mix(stream: Stream, context: ScenarioContext, scenario: str, share: Share) -> Stream:
    """Draw each document from the old or the new topics; others wait until their topics are drawn.

    The stream ends when topics are drawn of which no document is left.
    """
    shuffled = context.random.sample(context.labels, len(context.labels))
    new = set(shuffled[len(shuffled) // 2 :])
    old = sorted(set(shuffled) - new)
    arrival = Transition(scenario, "new topics", {"labels": sorted(new), "instead of": old})
    progress = 0.0
    waiting: tuple[deque[Document], deque[Document]] = (deque(), deque())  # of old and new topics
    number = 0
    draw_new: bool | None = None
    for item in stream:
        if not isinstance(item, Document):
            yield item
            continue
        waiting[item.label in new].append(item)
        while True:
            if draw_new is None:
                before, progress = progress, share(number, item)
                yield from arrival.announce(progress)
                if progress < before:
                    yield Change(scenario, "old topics again", {"labels": old})
                draw_new = context.random.random() < progress
            if not waiting[draw_new]:
                break
            yield waiting[draw_new].popleft()
            number += 1
            draw_new = None
