"""The scenarios of the benchmark, and the stream that each makes of the train split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from newsreel.events.change import Change
from newsreel.events.document import Document
from newsreel.events.label import Label
from producer.scenarios import plan

SCENARIOS: Mapping[str, str] = {
    "shuffled": "shuffled",
    "class-incremental": "class-incremental:groups=10",
    "returning": "class-incremental:groups=10:returning=0.3",
    "chronological": "chronological",
    "abrupt": "abrupt:start=2500",
    "gradual": "gradual:start=2500:width=2000",
    "recurring": "recurring:period=1500",
    "label-swap": "label-swap:start=5000",
    "prior-shift": "prior-shift:period=2000",
    "noise": "noise:share=0.2:start=5000",
    "duplicates": "duplicates:share=0.2",
    "late": "late:share=0.2:within=1000",
    "delayed-labels": "delayed-labels:mean=500:missing=0.1",
}
"""What ``--scenario`` of the producer would say, by name."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A stream, and what changes in it: with how many documents before.

    ``late`` are labels that come by themselves: after how many documents, and of which. Documents
    have the label that comes for them; whoever predicts them earlier must not look.
    """

    name: str
    text: str
    documents: Sequence[Document]
    changes: Sequence[tuple[int, Change]]
    late: Sequence[tuple[int, int]] = ()

    @property
    def moments(self) -> list[int]:
        """Where the whole stream changes: not at its beginning, nor in single documents."""
        return [at for at, change in self.changes if at and change.what != "wrong label"]

    def asked(self, heldout: Sequence[Document], number: int) -> list[Document]:
        """Return held-out documents as they are called after so many documents of the stream."""
        names: dict[str | None, str] = {}
        for at, change in self.changes:
            if at < number and change.what == "labels exchanged":
                for one, other in change.details["pairs"]:
                    names |= {one: other, other: one}
        return [replace(one, label=names.get(one.label, one.label)) for one in heldout]


def make(name: str, documents: Sequence[Document], seed: int, limit: int | None) -> Scenario:
    """Make the stream of a scenario, of ``limit`` documents at most."""
    text = SCENARIOS[name]
    items, _ = plan.build(plan.parse(text), documents, seed, 1, lambda number, _: float(number))
    stream: list[Document] = []
    changes: list[tuple[int, Change]] = []
    late: list[tuple[int, int]] = []
    places: dict[str, int] = {}
    for item in items:
        if isinstance(item, Change):
            changes.append((len(stream), item))
        elif isinstance(item, Label):
            place = places[item.id]
            stream[place] = replace(stream[place], label=item.label)
            late.append((len(stream), place))
        elif limit is not None and len(stream) == limit:
            break
        else:
            places[item.id] = len(stream)
            stream.append(item)
    return Scenario(name, text, stream, changes, late)
