"""Scenarios of unreliable producers: records that are sent twice, or out of order."""

import heapq
from collections.abc import Iterator

from newsreel.events.document import Document
from producer.scenarios.stream import Item, ScenarioContext, ScenarioError, Stream, each


def duplicates(
    stream: Stream, context: ScenarioContext, *, share: float = 0.05, within: int = 100
) -> Stream:
    """Send documents twice under the same id, as a producer without an acknowledgement does.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    share
        Share of the documents that are sent twice, from 0 to 1.
    within
        Largest distance of the second record from the first, in documents; uniformly distributed.
    """
    _check("duplicates", share, within)
    return _repeat_later(stream, context, share, within, keep_first=True)


def late(
    stream: Stream, context: ScenarioContext, *, share: float = 0.05, within: int = 100
) -> Stream:
    """Delay documents, so that they arrive out of order.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    share
        Share of the documents that arrive late, from 0 to 1.
    within
        Largest delay of a document, in documents; uniformly distributed.
    """
    _check("late", share, within)
    return _repeat_later(stream, context, share, within, keep_first=False)


def _repeat_later(
    stream: Stream, context: ScenarioContext, share: float, within: int, *, keep_first: bool
) -> Stream:
    """Send a share of the documents later; ``keep_first`` sends them at their own place as well."""
    delayed: list[tuple[int, int, Document]] = []

    def delay(number: int, document: Document) -> Iterator[Item]:
        while delayed and delayed[0][0] < number:
            yield heapq.heappop(delayed)[2]
        chosen = context.random.random() < share
        if chosen:
            due = number + context.random.randint(1, within)
            heapq.heappush(delayed, (due, number, document))
        if keep_first or not chosen:
            yield document

    yield from each(stream, delay)
    yield from (document for _, _, document in sorted(delayed, key=lambda entry: entry[:2]))


def _check(scenario: str, share: float, within: int) -> None:
    if not 0 <= share <= 1 or within < 1:
        raise ScenarioError(f"{scenario}: share is from 0 to 1, and within 1 or more")
