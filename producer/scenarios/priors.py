"""How often each label comes changes."""

from collections.abc import Iterator

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer.scenarios.stream import (
    A_WHILE,
    Item,
    Moment,
    ScenarioContext,
    ScenarioError,
    Stream,
    When,
    each,
)


def prior_shift(
    stream: Stream, world: ScenarioContext, *, exponent: float = 1.0, period: When = A_WHILE
) -> Stream:
    """Thin the labels out to Zipf's law: that of rank r keeps a share of 1 / r^exponent.

    Which label has which rank is drawn at random, and moves on by one with each period. The
    stream gets shorter: with 20 labels and exponent 1, to 18 %.

    Parameters
    ----------
    exponent
        0 changes nothing.
    period
        How long the ranks stay; in documents, of the stream that is thinned out.
    """
    if exponent < 0 or period.amount <= 0:
        raise ScenarioError("prior-shift: exponent is 0 or more, and period more than 0")
    shuffled = world.random.sample(world.labels, len(world.labels))
    turn = -1

    def thinned(number: int, document: Document) -> Iterator[Item]:
        nonlocal turn
        since = world.past(number, document, Moment(0, period.seconds))
        now = int(since // period.amount)
        if now != turn:
            turn = now
            first = turn % len(shuffled)
            ranked = shuffled[first:] + shuffled[:first]
            yield Change("prior-shift", "new ranks", {"labels": ranked})
        if document.label is not None:
            rank = (shuffled.index(document.label) - turn) % len(shuffled) + 1
            if world.random.random() >= rank**-exponent:
                return
        yield document

    return each(stream, thinned)
