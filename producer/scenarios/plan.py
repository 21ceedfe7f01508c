"""From the text of ``--scenario`` to a stream.

Examples
--------
>>> corpus = [Document("1", "Mars", "space"), Document("2", "goal", "sport")]
>>> scenario = parse("as-is,label-swap:start=1:labels=2")
>>> stream, _ = build(scenario, corpus, seed=0, repeat=1, seconds=lambda number, document: number)
>>> for item in stream:
...     print(item)
Document(id='1', text='Mars', label='space', time=None)
Change(scenario='label-swap', what='labels exchanged', details={'pairs': [['space', 'sport']]})
Document(id='2', text='goal', label='space', time=None)
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, get_type_hints

from pydantic import ValidationError, create_model

from newsreel.events.document import Document
from producer.scenarios import classes, concept, delays, order, priors, records, topics
from producer.scenarios.stream import Item, ScenarioContext, ScenarioError, Stream, When

SHUFFLED = "shuffled"

AS_IS = "as-is"

CHRONOLOGICAL = "chronological"

CLASS_INCREMENTAL = "class-incremental"

DELAYED_LABELS = "delayed-labels"

ORDERS = (SHUFFLED, AS_IS, CHRONOLOGICAL, CLASS_INCREMENTAL)

SCENARIOS: Mapping[str, Callable[..., Stream]] = {
    "abrupt": topics.abrupt,
    "gradual": topics.gradual,
    "recurring": topics.recurring,
    "prior-shift": priors.prior_shift,
    "label-swap": concept.label_swap,
    "noise": concept.noise,
    "duplicates": records.duplicates,
    "late": records.late,
    DELAYED_LABELS: delays.delayed_labels,
}
"""Functions that change a stream, by name of the scenario."""

NAMES = (*ORDERS, *SCENARIOS)


@dataclass(frozen=True, slots=True)
class ScenarioPart:
    """An order or a transform: its name, one of `NAMES`, and its parameters."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """An order of the corpus, and transforms of the stream, applied one after the other.

    Examples
    --------
    >>> scenario = parse("noise:share=0.2,delayed-labels")
    >>> scenario.order.name, [transform.name for transform in scenario.transforms]
    ('shuffled', ['noise', 'delayed-labels'])
    """

    order: ScenarioPart
    transforms: Sequence[ScenarioPart] = ()

    @property
    def keeps_time(self) -> bool:
        """Whether documents keep the order of their times, or that of the corpus."""
        return self.order.name in (AS_IS, CHRONOLOGICAL)

    @property
    def separates_labels(self) -> bool:
        """Whether labels are published separately from their documents."""
        return any(part.name == DELAYED_LABELS for part in self.transforms)

    @property
    def announces_changes(self) -> bool:
        """Whether the stream may contain changes for the topic of truth."""
        return bool(self.transforms) or self.order.name == CLASS_INCREMENTAL

    @property
    def placed_transforms(self) -> list[str]:
        """Names of the transforms that begin at a place of the stream, maybe beyond its end."""
        names = [part.name for part in self.transforms]
        return [name for name in names if {"start", "period"} & parameters(name).keys()]


def parse(text: str) -> Scenario:
    """Parse the text of ``--scenario``; without an order, the corpus is shuffled.

    Parameters
    ----------
    text
        An order and transforms, such as ``chronological,label-swap:start=5000:labels=4``.

    Raises
    ------
    ScenarioError
        A scenario or a parameter is unknown, or an order is not named first.
    """
    parts = [_part(piece) for piece in text.split(",")]
    if parts[0].name not in ORDERS:
        parts.insert(0, ScenarioPart(SHUFFLED, {}))
    for later in parts[1:]:
        if later.name in ORDERS:
            raise ScenarioError(
                f"scenario: {later.name!r} is an order of the documents; name one of"
                f" {', '.join(ORDERS)}, as the first"
            )
    if DELAYED_LABELS in {part.name for part in parts[:-1]}:
        raise ScenarioError(
            f"scenario: {DELAYED_LABELS!r} leaves no label with its document; name it last"
        )
    return Scenario(parts[0], tuple(parts[1:]))


def build(
    scenario: Scenario,
    documents: Iterable[Document],
    seed: int,
    repeat: int,
    seconds: Callable[[int, Document], float],
) -> tuple[Stream, int | None]:
    """Return the stream and its number of documents, None if the number is unknown.

    Parameters
    ----------
    scenario
        Order and transforms of the stream.
    documents
        Corpus. It is read into memory, unless its order is as-is and there are no transforms.
    seed
        Seed of all random numbers; each scenario draws its own.
    repeat
        Number of passes over the corpus.
    seconds
        Returns when a document is due, as `ScenarioContext` takes it.

    Raises
    ------
    ScenarioError
        The corpus does not fit the scenario.
    """
    if scenario.order.name == AS_IS and not scenario.transforms:
        return order.replay(lambda: documents, repeat), None
    corpus = list(documents)
    labels = sorted({document.label for document in corpus if document.label is not None})

    def context(number: int, name: str) -> ScenarioContext:
        return ScenarioContext(labels, Random(f"{seed}/{number}/{name}"), seconds)

    one_pass = _one_pass(scenario.order, corpus, Random(seed), context(0, scenario.order.name))
    stream = order.replay(one_pass, repeat)
    for number, part in enumerate(scenario.transforms, 1):
        stream = SCENARIOS[part.name](stream, context(number, part.name), **part.parameters)
    return stream, None if scenario.transforms else repeat * len(corpus)


def _one_pass(
    part: ScenarioPart, corpus: Sequence[Document], random: Random, context: ScenarioContext
) -> Callable[[], Iterable[Item]]:
    if part.name == AS_IS:
        return lambda: corpus
    if part.name == CHRONOLOGICAL:
        return partial(order.chronological, corpus)
    if part.name == CLASS_INCREMENTAL:
        return lambda: classes.class_incremental(
            order.shuffled(corpus, random), context, **part.parameters
        )
    return partial(order.shuffled, corpus, random)


def _part(text: str) -> ScenarioPart:
    name, *assignments = text.strip().split(":")
    if name not in NAMES:
        raise ScenarioError(f"scenario: there is no {name!r}; choose of {', '.join(NAMES)}")
    known = parameters(name)
    values = dict(assignment.partition("=")[::2] for assignment in assignments)
    if len(values) < len(assignments):
        raise ScenarioError(f"scenario: {text.strip()}: each parameter is given once")
    for key in values:
        if key not in known:
            names = ", ".join(f"{key}={_shown(default)}" for key, (_, default) in known.items())
            raise ScenarioError(
                f"scenario: {name} has no parameter {key!r}; it has {names or 'none at all'}"
            )
    try:
        checked = create_model(name, **dict[str, Any](known)).model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = first["msg"].removeprefix("Value error, ")
        raise ScenarioError(
            f"scenario: {name}:{first['loc'][0]}={first['input']}: {problem}"
        ) from error
    return ScenarioPart(name, {key: getattr(checked, key) for key in values})


def parameters(name: str) -> Mapping[str, tuple[Any, Any]]:
    """Return the type and the default of each parameter of a scenario, by name."""
    function = classes.class_incremental if name == CLASS_INCREMENTAL else SCENARIOS.get(name)
    if function is None:
        return {}
    hints = get_type_hints(function, include_extras=True)
    return {
        parameter.name: (hints[parameter.name], parameter.default)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _shown(default: object) -> str:
    return f"{default.amount:g}" if isinstance(default, When) else str(default)
