"""Scenarios of the benchmark, and the stream that each makes of the train split."""

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
"""Values of the producer's ``--scenario`` by name."""


@dataclass(frozen=True, slots=True)
class BenchmarkScenario:
    """A stream and the changes in it.

    Attributes
    ----------
    name, text
        Name of the scenario, and its value of ``--scenario``.
    documents
        Documents in the order of the stream, labels that arrive late included.
    changes
        Changes, each with the number of documents before it.
    late
        Labels that arrive apart from their documents: the number of documents before the label,
        and the index of its document. A model that predicts this document must not see its label.
    """

    name: str
    text: str
    documents: Sequence[Document]
    changes: Sequence[tuple[int, Change]]
    late: Sequence[tuple[int, int]] = ()

    @property
    def moments(self) -> list[int]:
        """Documents before each change of the whole stream, its beginning excluded."""
        return [
            before for before, change in self.changes if before and change.what != "wrong label"
        ]

    def renamed(self, heldout: Sequence[Document], number: int) -> list[Document]:
        """Return held-out documents with the labels in use after so many documents."""
        names: dict[str | None, str] = {}
        for before, change in self.changes:
            if before < number and change.what == "labels exchanged":
                for one, other in change.details["pairs"]:
                    names |= {one: other, other: one}
        return [
            replace(document, label=names.get(document.label, document.label))
            for document in heldout
        ]


def make(
    name: str, documents: Sequence[Document], seed: int, limit: int | None
) -> BenchmarkScenario:
    """Make the stream of a scenario, with at most ``limit`` documents."""
    text = SCENARIOS[name]
    items, _ = plan.build(plan.parse(text), documents, seed, 1, lambda number, _: float(number))
    stream: list[Document] = []
    changes: list[tuple[int, Change]] = []
    late: list[tuple[int, int]] = []
    indices: dict[str, int] = {}
    for item in items:
        if isinstance(item, Change):
            changes.append((len(stream), item))
        elif isinstance(item, Label):
            index = indices[item.id]
            stream[index] = replace(stream[index], label=item.label)
            late.append((len(stream), index))
        elif limit is not None and len(stream) == limit:
            break
        else:
            indices[item.id] = len(stream)
            stream.append(item)
    return BenchmarkScenario(name, text, stream, changes, late)
