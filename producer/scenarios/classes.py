"""Labels that come and go."""

from collections.abc import Iterator, Sequence

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer.scenarios.stream import Item, ScenarioContext, ScenarioError


def class_incremental(
    documents: Sequence[Document],
    world: ScenarioContext,
    *,
    groups: int = 10,
    returning: float = 0.0,
) -> Iterator[Item]:
    """Let labels arrive in groups, one group after the other; what has no label comes last.

    Parameters
    ----------
    documents
        Within a group, they keep their order.
    groups
        As many labels in each as possible, chosen at random.
    returning
        Share of the documents of a group that come back later, evenly among all later groups;
        0: labels never return.

    Raises
    ------
    ScenarioError
        There are fewer labels than groups.
    """
    if not 0 < groups <= len(world.labels) or not 0 <= returning <= 1:
        raise ScenarioError(
            f"class-incremental: {len(world.labels)} labels can't come in {groups} groups, with a"
            f" share of {returning:g} returning; choose 1 to {len(world.labels)} groups, and 0 to 1"
        )
    shuffled = world.random.sample(world.labels, len(world.labels))
    phases: dict[str | None, int] = {name: n % groups for n, name in enumerate(shuffled)}
    last = groups - 1
    coming: list[list[Document]] = [[] for _ in range(groups)]
    for document in documents:
        phase = phases.get(document.label, last)
        if phase < last and world.random.random() < returning:
            phase = world.random.randint(phase + 1, last)
        coming[phase].append(document)
    for phase, some in enumerate(coming):
        names = sorted(name for name, own in phases.items() if name and own == phase)
        yield Change("class-incremental", "new labels", {"group": phase + 1, "labels": names})
        yield from some
