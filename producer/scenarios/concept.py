"""What labels mean changes, or they are wrong."""

from collections.abc import Iterator
from dataclasses import replace

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer.scenarios.stream import (
    NOW,
    SOON,
    Item,
    ScenarioContext,
    ScenarioError,
    Stream,
    Transition,
    When,
    each,
)


def label_swap(
    stream: Stream,
    world: ScenarioContext,
    *,
    start: When = SOON,
    width: When = NOW,
    labels: int = 10,
) -> Stream:
    """Exchange labels in pairs: the same texts are called otherwise.

    Parameters
    ----------
    start, width
        When it begins, and for how long old and new names are used side by side.
    labels
        How many are exchanged, chosen at random; at most all of them.
    """
    count = min(labels, len(world.labels)) // 2 * 2
    if count < 2:  # noqa: PLR2004 - a pair
        raise ScenarioError("label-swap: there are no two labels to exchange; set labels=2 or more")
    chosen = world.random.sample(world.labels, count)
    pairs = list(zip(chosen[::2], chosen[1::2], strict=True))
    other = dict(pairs) | {second: first for first, second in pairs}
    swap = Transition("label-swap", "labels exchanged", {"pairs": [list(pair) for pair in pairs]})

    def renamed(number: int, document: Document) -> Iterator[Item]:
        gone = world.ramp(number, document, start, width)
        yield from swap.told(gone)
        new = other.get(document.label or "", document.label)
        yield replace(document, label=new) if world.random.random() < gone else document

    return each(stream, renamed)


def noise(
    stream: Stream, world: ScenarioContext, *, share: float = 0.1, start: When = NOW
) -> Stream:
    """Give documents a label of another one.

    Parameters
    ----------
    share
        Of the documents that have a label.
    start
        From when on.
    """
    if not 0 <= share <= 1 or len(world.labels) < 2:  # noqa: PLR2004 - another one
        raise ScenarioError("noise: share is from 0 to 1, of a corpus with two labels or more")
    begun = Transition("noise", "labels wrong", {"share": share})

    def wrong(number: int, document: Document) -> Iterator[Item]:
        gone = world.ramp(number, document, start, NOW)
        yield from begun.told(gone)
        if document.label is None or not gone or world.random.random() >= share:
            yield document
            return
        others = [name for name in world.labels if name != document.label]
        given = world.random.choice(others)
        yield Change("noise", "wrong label", {"id": document.id, "label": document.label})
        yield replace(document, label=given)

    return each(stream, wrong)
