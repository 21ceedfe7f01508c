"""A scenario in which the frequencies of labels change."""

from collections.abc import Iterator

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer.scenarios.stream import (
    A_WHILE,
    Item,
    ScenarioContext,
    ScenarioError,
    Stream,
    When,
    each,
)


def prior_shift(
    stream: Stream, context: ScenarioContext, *, exponent: float = 1.0, period: When = A_WHILE
) -> Stream:
    """Thin labels out by Zipf's law: the label of rank r keeps a share of 1 / r^exponent.

    The ranks of the labels are drawn at random, and shift by one with each period. The stream gets
    shorter: with 20 labels and exponent 1, to 18 % of its length.

    Parameters
    ----------
    stream
        Stream to change.
    context
        Labels, random numbers and times of the scenario.
    exponent
        Exponent of Zipf's law; 0 keeps all documents.
    period
        Time between two shifts of the ranks; if in documents, of the stream before thinning.
    """
    if exponent < 0 or period.amount <= 0:
        raise ScenarioError("prior-shift: exponent is 0 or more, and period more than 0")
    shuffled = context.random.sample(context.labels, len(context.labels))
    shift = -1

    def thin_out(number: int, document: Document) -> Iterator[Item]:
        nonlocal shift
        elapsed = context.since(number, document, When(0, period.in_seconds))
        periods = int(elapsed // period.amount)
        if periods != shift:
            shift = periods
            first = shift % len(shuffled)
            ranked = shuffled[first:] + shuffled[:first]
            yield Change("prior-shift", "new ranks", {"labels": ranked})
        if document.label is not None:
            rank = (shuffled.index(document.label) - shift) % len(shuffled) + 1
            if context.random.random() >= rank**-exponent:
                return
        yield document

    return each(stream, thin_out)
