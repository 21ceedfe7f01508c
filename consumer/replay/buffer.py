"""The replay buffer: a bounded memory of the stream, so that old classes are not forgotten."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from consumer.features import serialization
from consumer.features.extractor import Example


@dataclass(frozen=True, slots=True)
class BufferStats:
    """What a buffer holds: documents of ``capacity``, learned ``age`` documents ago on the mean.

    ``balance`` is the entropy of their labels, as a share of the most it could be: 1 when there
    are as many of each, and where there is one label only; 0 in an empty buffer.
    """

    documents: int
    capacity: int
    age: float
    balance: float


class Entry(NamedTuple):
    """An example, and the number of documents that had been seen when it was learned."""

    number: int
    example: Example


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

    def drop(self, labels: Collection[str]) -> None:
        """Drop all documents of some labels, as if they had never been seen."""
        ...

    def stats(self) -> BufferStats:
        """Say what it holds."""
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
        self._kept: list[Entry] = []
        self._seen = 0

    def __len__(self) -> int:
        return len(self._kept)

    def sample(self, count: int) -> list[Example]:
        """Draw documents uniformly without replacement."""
        return [kept.example for kept in _draw(self._random, self._kept, count)]

    def add(self, documents: Iterable[Example]) -> None:
        """Keep the n-th document seen with probability capacity / n."""
        for document in documents:
            self._seen += 1
            kept = Entry(self._seen, document)
            if len(self) < self._capacity:
                self._kept.append(kept)
            elif (slot := int(self._random.integers(self._seen))) < self._capacity:
                self._kept[slot] = kept

    def drop(self, labels: Collection[str]) -> None:
        """Drop all documents of some labels; what comes next fills the room."""
        self._kept = [one for one in self._kept if one.example.document.label not in labels]

    def stats(self) -> BufferStats:
        """Say what it holds, in time proportional to that."""
        labels = Counter(kept.example.document.label or "" for kept in self._kept)
        return _stats(self._kept, self._capacity, self._seen, list(labels.values()))

    def state_dict(self) -> dict[str, Any]:
        """Return the documents, how many were seen, and the random generator."""
        return {
            **_pack(self._kept),
            "seen": self._seen,
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; of more than fit, a random part is kept."""
        self._kept = _unpack(state)
        self._seen = state["seen"]
        self._random.bit_generator.state = state["random"]
        if len(self) > self._capacity:
            self._kept = _draw(self._random, self._kept, self._capacity)


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
        self._by_label: dict[str, list[Entry]] = {}
        self._seen_of: dict[str, int] = {}
        self._full: set[str] = set()
        self._dropped = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_label.values()))

    def sample(self, count: int) -> list[Example]:
        """Draw documents uniformly without replacement."""
        return [kept.example for kept in _draw(self._random, self._all(), count)]

    def add(self, documents: Iterable[Example]) -> None:
        """Offer each document to its label's share."""
        for document in documents:
            self._add(document, document.document.label or "")

    def _add(self, document: Example, label: str) -> None:
        self._seen_of[label] = self._seen_of.get(label, 0) + 1
        own = self._by_label.setdefault(label, [])
        kept = Entry(self._seen, document)
        if len(self) < self._capacity:
            own.append(kept)
            return
        largest = max(self._by_label.values(), key=len)
        self._full.update(
            name for name, share in self._by_label.items() if len(share) == len(largest)
        )
        if label not in self._full:
            self._thin_out(largest)
            own.append(kept)
        elif (slot := int(self._random.integers(self._seen_of[label]))) < len(own):
            own[slot] = kept

    def drop(self, labels: Collection[str]) -> None:
        """Drop all documents of some labels, as if they had never been seen."""
        for label in labels:
            self._dropped += self._seen_of.pop(label, 0)
            self._by_label.pop(label, None)
            self._full.discard(label)

    def stats(self) -> BufferStats:
        """Say what it holds, in time proportional to that."""
        sizes = [len(share) for share in self._by_label.values()]
        return _stats(self._all(), self._capacity, self._seen, sizes)

    @property
    def _seen(self) -> int:
        return self._dropped + sum(self._seen_of.values())

    def _thin_out(self, share: list[Entry]) -> None:
        """Drop a random document."""
        share[int(self._random.integers(len(share)))] = share[-1]
        share.pop()

    def _all(self) -> list[Entry]:
        return [kept for share in self._by_label.values() for kept in share]

    def state_dict(self) -> dict[str, Any]:
        """Return the documents, how many were seen of each label, and the random generator."""
        return {
            "labels": list(self._by_label),
            **_pack(self._all()),
            "seen": dict(self._seen_of),
            "full": sorted(self._full),
            "dropped": self._dropped,
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; of more than fit, the largest labels give."""
        self._by_label = {label: [] for label in state["labels"]}
        for kept in _unpack(state):
            self._by_label[kept.example.document.label or ""].append(kept)
        self._seen_of = dict(state["seen"])
        self._full = set(state["full"])
        self._dropped = state["dropped"]
        self._random.bit_generator.state = state["random"]
        while len(self) > self._capacity:
            self._thin_out(max(self._by_label.values(), key=len))


def _pack(kept: Sequence[Entry]) -> dict[str, Any]:
    return {
        "numbers": [one.number for one in kept],
        "examples": serialization.pack_examples([one.example for one in kept]),
    }


def _unpack(state: dict[str, Any]) -> list[Entry]:
    examples = serialization.unpack_examples(state["examples"])
    return [Entry(*pair) for pair in zip(state["numbers"], examples, strict=True)]


def _stats(kept: Sequence[Entry], capacity: int, seen: int, sizes: Sequence[int]) -> BufferStats:
    if not kept:
        return BufferStats(0, capacity, 0.0, 0.0)
    shares = [size / len(kept) for size in sizes if size]
    entropy = -sum(share * math.log(share) for share in shares)
    balance = entropy / math.log(len(shares)) if len(shares) > 1 else 1.0
    age = seen - sum(one.number for one in kept) / len(kept)
    return BufferStats(len(kept), capacity, age, balance)


def _draw(random: np.random.Generator, documents: list[Entry], count: int) -> list[Entry]:
    chosen = random.choice(len(documents), min(count, len(documents)), replace=False)
    return [documents[index] for index in chosen]
