"""An order in which labels appear and disappear."""

from collections.abc import Iterator, Sequence

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer.scenarios.stream import Item, ScenarioContext, ScenarioError


def class_incremental(
    documents: Sequence[Document],
    context: ScenarioContext,
    *,
    groups: int = 10,
    returning: float = 0.0,
) -> Iterator[Item]:
    """Stream the labels in groups, one group after the other.

    Documents without a label belong to the last group.

    Parameters
    ----------
    documents
        Corpus; documents of a group keep its order.
    context
        Labels, random numbers and times of the scenario.
    groups
        Number of groups of labels; the labels of each are drawn at random, and the groups are of
        equal size, up to one label.
    returning
        Share of the documents of a group that arrive in later groups, evenly among them, from 0
        to 1. With 0, labels never return.

    Raises
    ------
    ScenarioError
        The corpus has fewer labels than groups.
    """
    if not 0 < groups <= len(context.labels) or not 0 <= returning <= 1:
        raise ScenarioError(
            f"class-incremental: groups={groups} and returning={returning:g} are not possible for a"
            f" corpus with {len(context.labels)} labels; choose groups from 1 to"
            f" {len(context.labels)}, and returning from 0 to 1"
        )
    shuffled = context.random.sample(context.labels, len(context.labels))
    group_of: dict[str | None, int] = {name: n % groups for n, name in enumerate(shuffled)}
    last = groups - 1
    contents: list[list[Document]] = [[] for _ in range(groups)]
    for document in documents:
        group = group_of.get(document.label, last)
        if group < last and context.random.random() < returning:
            group = context.random.randint(group + 1, last)
        contents[group].append(document)
    for group, content in enumerate(contents):
        names = sorted(name for name, own in group_of.items() if name and own == group)
        yield Change("class-incremental", "new labels", {"group": group + 1, "labels": names})
        yield from content
