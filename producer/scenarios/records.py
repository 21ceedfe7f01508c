"""What real producers do to a stream: records that come twice, or late."""

import heapq
from collections.abc import Iterator

from newsreel.events.document import Document
from producer.scenarios.stream import Item, ScenarioContext, ScenarioError, Stream, each


def duplicates(
    stream: Stream, world: ScenarioContext, *, share: float = 0.05, within: int = 100
) -> Stream:
    """Send documents again, under the same id, as a producer that did not hear of the first time.

    Parameters
    ----------
    share
        Of the documents that come twice.
    within
        How many documents later at most, evenly distributed.
    """
    _check("duplicates", share, within)
    return _later(stream, world, share, within, twice=True)


def late(
    stream: Stream, world: ScenarioContext, *, share: float = 0.05, within: int = 100
) -> Stream:
    """Hold documents back: they come out of order.

    Parameters
    ----------
    share
        Of the documents that come late.
    within
        How many documents late at most, evenly distributed.
    """
    _check("late", share, within)
    return _later(stream, world, share, within, twice=False)


def _later(
    stream: Stream, world: ScenarioContext, share: float, within: int, *, twice: bool
) -> Stream:
    held: list[tuple[int, int, Document]] = []

    def pass_on(number: int, document: Document) -> Iterator[Item]:
        while held and held[0][0] < number:
            yield heapq.heappop(held)[2]
        chosen = world.random.random() < share
        if chosen:
            due = number + world.random.randint(1, within)
            heapq.heappush(held, (due, number, document))
        if twice or not chosen:
            yield document

    yield from each(stream, pass_on)
    yield from (document for _, _, document in sorted(held, key=lambda one: one[:2]))


def _check(scenario: str, share: float, within: int) -> None:
    if not 0 <= share <= 1 or within < 1:
        raise ScenarioError(f"{scenario}: share is from 0 to 1, and within 1 or more")
