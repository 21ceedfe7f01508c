"""What is written about changes: half of the labels give way to the other half.

As MOA's streams of concept drift (Bifet et al. 2010), a mixture of two streams in which the share
of the second grows; here both are parts of one corpus, and no document comes twice.
"""

from collections import deque
from collections.abc import Callable

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer.scenarios.stream import (
    A_WHILE,
    NOW,
    SOON,
    Moment,
    ScenarioContext,
    ScenarioError,
    Stream,
    Transition,
    When,
)

Share = Callable[[int, Document], float]
"""Of the new topics, given the number of a document and the one read last."""


def abrupt(stream: Stream, world: ScenarioContext, *, start: When = SOON) -> Stream:
    """Change topics from one document to the next.

    Parameters
    ----------
    start
        When.
    """

    def share(number: int, document: Document) -> float:
        return world.ramp(number, document, start, NOW)

    return _mixed(stream, world, "abrupt", share)


def gradual(
    stream: Stream, world: ScenarioContext, *, start: When = SOON, width: When = A_WHILE
) -> Stream:
    """Let the new topics' share grow evenly.

    Parameters
    ----------
    start, width
        When it begins, and how long it takes.
    """

    def share(number: int, document: Document) -> float:
        return world.ramp(number, document, start, width)

    return _mixed(stream, world, "gradual", share)


def recurring(stream: Stream, world: ScenarioContext, *, period: When = SOON) -> Stream:
    """Let the two halves take turns.

    Parameters
    ----------
    period
        How long each turn is.

    Raises
    ------
    ScenarioError
        It is nothing.
    """
    if not period.amount:
        raise ScenarioError("recurring: period is more than 0")

    def share(number: int, document: Document) -> float:
        since = world.past(number, document, Moment(0, period.seconds))
        return float(since // period.amount % 2)

    return _mixed(stream, world, "recurring", share)


def _mixed(stream: Stream, world: ScenarioContext, scenario: str, share: Share) -> Stream:
    """Draw each document from the old or the new topics, holding back what came before its turn.

    The stream ends when it is the turn of topics of which no document is left.
    """
    shuffled = world.random.sample(world.labels, len(world.labels))
    new = set(shuffled[len(shuffled) // 2 :])
    old = sorted(set(shuffled) - new)
    come = Transition(scenario, "new topics", {"labels": sorted(new), "instead of": old})
    gone = 0.0
    waiting: tuple[deque[Document], deque[Document]] = (deque(), deque())
    number = 0
    turn: bool | None = None
    for item in stream:
        if not isinstance(item, Document):
            yield item
            continue
        waiting[item.label in new].append(item)
        while True:
            if turn is None:
                before, gone = gone, share(number, item)
                yield from come.told(gone)
                if gone < before:
                    yield Change(scenario, "old topics again", {"labels": old})
                turn = world.random.random() < gone
            if not waiting[turn]:
                break
            yield waiting[turn].popleft()
            number += 1
            turn = None
