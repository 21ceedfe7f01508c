"""The replay buffer: a bounded memory of the stream, so that old classes are not forgotten."""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from consumer import packing
from consumer.features import Example


class ReplayBuffer(Protocol):
    """What the loop needs of a memory. Sample before you add: replay is of the past."""

    def __len__(self) -> int:
        """Return how many documents it holds."""
        ...

    def sample(self, count: int) -> list[Example]:
        """Draw documents uniformly without replacement; fewer than ``count`` if it holds fewer."""
        ...

    def add(self, documents: Iterable[Example]) -> None:
        """Offer documents that were just learned."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that its future depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned: it goes on as if it had never stopped."""
        ...


class Reservoir:
    """A uniform sample of everything seen: each document is in it with the same probability.

    Algorithm R of Vitter (1985), "Random sampling with a reservoir".

    Parameters
    ----------
    capacity
        Documents it holds at most.
    seed
        Of its random generator.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        self._capacity = capacity
        self._random = np.random.default_rng(seed)
        self._examples: list[Example] = []
        self._seen = 0

    def __len__(self) -> int:
        return len(self._examples)

    def sample(self, count: int) -> list[Example]:
        """Draw documents uniformly without replacement."""
        return _draw(self._random, self._examples, count)

    def add(self, documents: Iterable[Example]) -> None:
        """Keep the n-th document seen with probability capacity / n."""
        for document in documents:
            self._seen += 1
            if len(self) < self._capacity:
                self._examples.append(document)
            elif (slot := int(self._random.integers(self._seen))) < self._capacity:
                self._examples[slot] = document

    def state_dict(self) -> dict[str, Any]:
        """Return the documents, how many were seen, and the random generator."""
        return {
            "examples": packing.pack_examples(self._examples),
            "seen": self._seen,
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; of more than fit, a random part is kept."""
        self._examples = packing.unpack_examples(state["examples"])
        self._seen = state["seen"]
        self._random.bit_generator.state = state["random"]
        if len(self) > self._capacity:
            self._examples = self.sample(self._capacity)


class ClassBalancedReservoir:
    """As many documents of each label as the stream allows, uniform within a label.

    Chrysakis and Moens (2020), "Online continual learning from imbalanced data": a label that was
    ever the largest is full; a document of a full label competes with its own label only, any
    other replaces one of the largest label.

    Parameters
    ----------
    capacity
        Documents it holds at most.
    seed
        Of its random generator.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        self._capacity = capacity
        self._random = np.random.default_rng(seed)
        self._by_label: dict[str, list[Example]] = {}
        self._seen_of: dict[str, int] = {}
        self._full: set[str] = set()

    def __len__(self) -> int:
        return sum(map(len, self._by_label.values()))

    def sample(self, count: int) -> list[Example]:
        """Draw documents uniformly without replacement."""
        return _draw(self._random, self._examples(), count)

    def add(self, documents: Iterable[Example]) -> None:
        """Offer each document to its label's share."""
        for document in documents:
            self._add(document, document.document.label or "")

    def _add(self, document: Example, label: str) -> None:
        self._seen_of[label] = self._seen_of.get(label, 0) + 1
        own = self._by_label.setdefault(label, [])
        if len(self) < self._capacity:
            own.append(document)
            return
        largest = max(self._by_label.values(), key=len)
        self._full.update(
            name for name, share in self._by_label.items() if len(share) == len(largest)
        )
        if label not in self._full:
            self._thin_out(largest)
            own.append(document)
        elif (slot := int(self._random.integers(self._seen_of[label]))) < len(own):
            own[slot] = document

    def _thin_out(self, share: list[Example]) -> None:
        """Drop a random document."""
        share[int(self._random.integers(len(share)))] = share[-1]
        share.pop()

    def _examples(self) -> list[Example]:
        return [document for share in self._by_label.values() for document in share]

    def state_dict(self) -> dict[str, Any]:
        """Return the documents, how many were seen of each label, and the random generator."""
        return {
            "labels": list(self._by_label),
            "examples": packing.pack_examples(self._examples()),
            "seen": dict(self._seen_of),
            "full": sorted(self._full),
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; of more than fit, the largest labels give."""
        self._by_label = {label: [] for label in state["labels"]}
        for document in packing.unpack_examples(state["examples"]):
            self._by_label[document.document.label or ""].append(document)
        self._seen_of = dict(state["seen"])
        self._full = set(state["full"])
        self._random.bit_generator.state = state["random"]
        while len(self) > self._capacity:
            self._thin_out(max(self._by_label.values(), key=len))


def _draw(random: np.random.Generator, documents: list[Example], count: int) -> list[Example]:
    chosen = random.choice(len(documents), min(count, len(documents)), replace=False)
    return [documents[index] for index in chosen]
