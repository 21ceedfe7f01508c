"""Scenarios in which the meaning of labels changes, or labels are wrong."""

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
    context: ScenarioContext,
    *,
    start: When = SOON,
    width: When = NOW,
    labels: int = 10,
) -> Stream:
    """Exchange labels in pairs: the texts stay, their labels change.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    start
        Place in the stream where the exchange begins.
    width
        Length of the part in which old and new labels are mixed.
    labels
        Number of labels to exchange, drawn at random; at most all of them.
    """
    count = min(labels, len(context.labels)) // 2 * 2
    if count < 2:  # noqa: PLR2004 - a pair
        raise ScenarioError("label-swap: there are no two labels to exchange; set labels=2 or more")
    chosen = context.random.sample(context.labels, count)
    pairs = list(zip(chosen[::2], chosen[1::2], strict=True))
    partner = dict(pairs) | {second: first for first, second in pairs}
    swap = Transition("label-swap", "labels exchanged", {"pairs": [list(pair) for pair in pairs]})

    def exchange(number: int, document: Document) -> Iterator[Item]:
        progress = context.progress(number, document, start, width)
        yield from swap.announce(progress)
        label = partner.get(document.label or "", document.label)
        yield replace(document, label=label) if context.random.random() < progress else document

    return each(stream, exchange)


def noise(
    stream: Stream, context: ScenarioContext, *, share: float = 0.1, start: When = NOW
) -> Stream:
    """Replace labels by wrong ones, drawn uniformly from all others.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    share
        Share of the labelled documents that get a wrong label, from 0 to 1.
    start
        Place in the stream where wrong labels begin.
    """
    if not 0 <= share <= 1 or len(context.labels) < 2:  # noqa: PLR2004 - a right one and a wrong one
        raise ScenarioError("noise: share is from 0 to 1, of a corpus with two labels or more")
    beginning = Transition("noise", "labels wrong", {"share": share})

    def mislabel(number: int, document: Document) -> Iterator[Item]:
        progress = context.progress(number, document, start, NOW)
        yield from beginning.announce(progress)
        if document.label is None or not progress or context.random.random() >= share:
            yield document
            return
        others = [name for name in context.labels if name != document.label]
        wrong = context.random.choice(others)
        yield Change("noise", "wrong label", {"id": document.id, "label": document.label})
        yield replace(document, label=wrong)

    return each(stream, mislabel)
