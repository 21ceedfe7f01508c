"""From what ``--scenario`` says to a stream."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, get_type_hints

from pydantic import ValidationError, create_model

from newsreel.events.document import Document
from producer.scenarios import classes, concept, delays, order, priors, records, topics
from producer.scenarios.stream import Item, ScenarioContext, ScenarioError, Stream

SHUFFLED = "shuffled"

AS_IS = "as-is"

CHRONOLOGICAL = "chronological"

CLASS_INCREMENTAL = "class-incremental"

LAST = "delayed-labels"

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
    LAST: delays.delayed_labels,
}
"""What can be done to a stream, by name."""

NAMES = (*ORDERS, *SCENARIOS)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `NAMES`, with its parameters."""

    name: str
    parameters: Mapping[str, Any]


Plan = tuple[Choice, Sequence[Choice]]
"""An order, and what is done to its stream, one by one."""


def parse(text: str) -> Plan:
    """Read an order, shuffled where none is said, and what is done to its stream, one by one.

    Parameters
    ----------
    text
        Such as ``chronological,label-swap:start=5000:labels=4``.

    Raises
    ------
    ScenarioError
        There is no such scenario or parameter, or an order comes later than first.
    """
    choices = [_choice(part) for part in text.split(",")]
    if choices[0].name not in ORDERS:
        choices.insert(0, Choice(SHUFFLED, {}))
    for later in choices[1:]:
        if later.name in ORDERS:
            raise ScenarioError(
                f"scenario: {later.name!r} says in which order documents come; name one of"
                f" {', '.join(ORDERS)}, as the first"
            )
    if LAST in {choice.name for choice in choices[:-1]}:
        raise ScenarioError(f"scenario: {LAST!r} leaves no label with its document; name it last")
    return choices[0], choices[1:]


def keeps_time(chosen: Plan) -> bool:
    """Return whether documents come in the order of their times, or in that of the corpus."""
    return chosen[0].name in (AS_IS, CHRONOLOGICAL)


def has_labels(chosen: Plan) -> bool:
    """Return whether labels come by themselves."""
    return any(choice.name == LAST for choice in chosen[1])


def has_truth(chosen: Plan) -> bool:
    """Return whether anything will change."""
    order_, scenarios = chosen
    return bool(scenarios) or order_.name == CLASS_INCREMENTAL


def changing(chosen: Plan) -> list[str]:
    """Return the names of those that change a stream at some place of it."""
    names = [choice.name for choice in chosen[1]]
    return [name for name in names if {"start", "period"} & parameters(name).keys()]


def build(
    chosen: Plan,
    documents: Iterable[Document],
    seed: int,
    repeat: int,
    seconds: Callable[[int, Document], float],
) -> tuple[Stream, int | None]:
    """Make the stream; returns with it how many documents it has, if that is known.

    Parameters
    ----------
    documents
        The corpus; it is read into memory, unless its order is as-is and nothing is done to it.
    seed
        The same one makes the same stream. Each scenario has random numbers of its own.
    repeat
        Passes over the corpus.
    seconds
        When a document is due, as `ScenarioContext` takes it.

    Raises
    ------
    ScenarioError
        The corpus is not fit for it.
    """
    order_, scenarios = chosen
    if order_.name == AS_IS and not scenarios:
        return order.replay(lambda: documents, repeat), None
    corpus = list(documents)
    labels = sorted({document.label for document in corpus if document.label is not None})

    def world(number: int, name: str) -> ScenarioContext:
        return ScenarioContext(labels, Random(f"{seed}/{number}/{name}"), seconds)

    stream = order.replay(_order(order_, corpus, Random(seed), world(0, order_.name)), repeat)
    for number, choice in enumerate(scenarios, 1):
        stream = SCENARIOS[choice.name](stream, world(number, choice.name), **choice.parameters)
    return stream, None if scenarios else repeat * len(corpus)


def _order(
    choice: Choice, corpus: Sequence[Document], random: Random, world: ScenarioContext
) -> Callable[[], Iterable[Item]]:
    if choice.name == AS_IS:
        return lambda: corpus
    if choice.name == CHRONOLOGICAL:
        return partial(order.chronological, corpus)
    if choice.name == CLASS_INCREMENTAL:
        return lambda: classes.class_incremental(
            order.shuffled(corpus, random), world, **choice.parameters
        )
    return partial(order.shuffled, corpus, random)


def _choice(part: str) -> Choice:
    name, *given = part.strip().split(":")
    if name not in NAMES:
        raise ScenarioError(f"scenario: there is no {name!r}; choose of {', '.join(NAMES)}")
    known = parameters(name)
    pairs = dict(one.partition("=")[::2] for one in given)
    fields: dict[str, Any] = {key: (kind, default) for key, (kind, default) in known.items()}
    if len(pairs) < len(given):
        raise ScenarioError(f"scenario: {part.strip()}: each parameter is given once")
    for key in pairs:
        if key not in known:
            has = ", ".join(f"{one}={_shown(default)}" for one, (_, default) in known.items())
            raise ScenarioError(
                f"scenario: {name} has no parameter {key!r}; it has {has or 'none at all'}"
            )
    try:
        checked = create_model(name, **fields).model_validate(pairs)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = first["msg"].removeprefix("Value error, ")
        raise ScenarioError(
            f"scenario: {name}:{first['loc'][0]}={first['input']}: {problem}"
        ) from error
    return Choice(name, {key: getattr(checked, key) for key in pairs})


def parameters(name: str) -> Mapping[str, tuple[Any, Any]]:
    """Return type and default of each parameter of a scenario."""
    function = classes.class_incremental if name == CLASS_INCREMENTAL else SCENARIOS.get(name)
    if function is None:
        return {}
    hints = get_type_hints(function, include_extras=True)
    return {
        one.name: (hints[one.name], one.default)
        for one in inspect.signature(function).parameters.values()
        if one.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _shown(default: object) -> str:
    return f"{default.amount:g}" if hasattr(default, "amount") else str(default)
