"""Replay buffers: bounded samples of the stream that keep the model from forgetting old labels."""

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
    """Statistics of a buffer's content.

    Attributes
    ----------
    documents
        Number of documents in the buffer.
    capacity
        Maximum number of documents in the buffer.
    age
        Mean age of the documents: the number of documents learned after each. 0 in an empty buffer.
    balance
        Entropy of the labels, divided by the maximum entropy for their number. 1 with equal counts
        and with a single label; 0 in an empty buffer.
    """

    documents: int
    capacity: int
    age: float
    balance: float


class Entry(NamedTuple):
    """An example, and the number of documents offered to the buffer up to this example."""

    number: int
    example: Example


class ReplayBuffer(Protocol):
    """Bounded memory of learned documents.

    Call `sample` before `add`: documents of a learning step must not be replayed in the same step.

    Examples
    --------
    >>> from newsreel.events.document import Document
    >>> buffer: ReplayBuffer = Reservoir(capacity=2, seed=0)
    >>> buffer.add(Example(Document(str(n), "a late goal", "sport"), {}) for n in range(5))
    >>> len(buffer), [example.document.label for example in buffer.sample(1)]
    (2, ['sport'])
    """

    def __len__(self) -> int:
        """Return the number of documents in the buffer."""
        ...

    def sample(self, count: int) -> list[Example]:
        """Draw documents uniformly without replacement.

        Returns ``count`` documents, or all documents where the buffer holds fewer.
        """
        ...

    def add(self, examples: Iterable[Example]) -> None:
        """Offer documents that were just learned."""
        ...

    def drop(self, labels: Collection[str]) -> None:
        """Remove all documents of the given labels."""
        ...

    def stats(self) -> BufferStats:
        """Return statistics of the content."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the complete state, for a checkpoint."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned, so that later samples stay the same."""
        ...


class Reservoir:
    """Uniform sample of the stream: the buffer holds each document with the same probability.

    Algorithm R of Vitter (1985), "Random sampling with a reservoir".

    Parameters
    ----------
    capacity
        Maximum number of documents.
    seed
        Seed of the random generator.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        self._capacity = capacity
        self._random = np.random.default_rng(seed)
        self._entries: list[Entry] = []
        self._seen = 0

    def __len__(self) -> int:
        return len(self._entries)

    def sample(self, count: int) -> list[Example]:
        """Draw documents uniformly without replacement."""
        return [entry.example for entry in _draw(self._random, self._entries, count)]

    def add(self, examples: Iterable[Example]) -> None:
        """Store the n-th document of the stream with probability capacity / n."""
        for example in examples:
            self._seen += 1
            entry = Entry(self._seen, example)
            if len(self) < self._capacity:
                self._entries.append(entry)
            elif (slot := int(self._random.integers(self._seen))) < self._capacity:
                self._entries[slot] = entry

    def drop(self, labels: Collection[str]) -> None:
        """Remove all documents of the given labels; the next documents fill the free slots."""
        self._entries = [
            entry for entry in self._entries if entry.example.document.label not in labels
        ]

    def stats(self) -> BufferStats:
        """Return statistics of the content, in time linear in the number of documents."""
        labels = Counter(entry.example.document.label or "" for entry in self._entries)
        return _stats(self._entries, self._capacity, self._seen, list(labels.values()))

    def state_dict(self) -> dict[str, Any]:
        """Return the documents, the number of documents seen, and the random generator's state."""
        return {
            **_pack(self._entries),
            "seen": self._seen,
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state; a smaller buffer keeps a random sample of the stored documents."""
        self._entries = _unpack(state)
        self._seen = state["seen"]
        self._random.bit_generator.state = state["random"]
        if len(self) > self._capacity:
            self._entries = _draw(self._random, self._entries, self._capacity)


class ClassBalancedReservoir:
    """Sample with label counts as equal as the stream allows, uniform within each label.

    Chrysakis and Moens (2020), "Online continual learning from imbalanced data". A label is full
    once its count was the largest of the buffer. A new document of a full label replaces a document
    of the same label, by reservoir sampling. A new document of any other label replaces a random
    document of the label with the largest count.

    Parameters
    ----------
    capacity
        Maximum number of documents.
    seed
        Seed of the random generator.
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
        return [entry.example for entry in _draw(self._random, self._all_entries(), count)]

    def add(self, examples: Iterable[Example]) -> None:
        """Offer documents, each to the entries of its label."""
        for example in examples:
            self._add(example, example.document.label or "")

    def _add(self, example: Example, label: str) -> None:
        self._seen_of[label] = self._seen_of.get(label, 0) + 1
        own = self._by_label.setdefault(label, [])
        entry = Entry(self._seen, example)
        if len(self) < self._capacity:
            own.append(entry)
            return
        largest = max(self._by_label.values(), key=len)
        self._full.update(
            name for name, entries in self._by_label.items() if len(entries) == len(largest)
        )
        if label not in self._full:
            self._remove_random(largest)
            own.append(entry)
        elif (slot := int(self._random.integers(self._seen_of[label]))) < len(own):
            own[slot] = entry

    def drop(self, labels: Collection[str]) -> None:
        """Remove all documents of the given labels, and the counts of those labels."""
        for label in labels:
            self._dropped += self._seen_of.pop(label, 0)
            self._by_label.pop(label, None)
            self._full.discard(label)

    def stats(self) -> BufferStats:
        """Return statistics of the content, in time linear in the number of documents."""
        sizes = [len(entries) for entries in self._by_label.values()]
        return _stats(self._all_entries(), self._capacity, self._seen, sizes)

    @property
    def _seen(self) -> int:
        return self._dropped + sum(self._seen_of.values())

    def _remove_random(self, entries: list[Entry]) -> None:
        entries[int(self._random.integers(len(entries)))] = entries[-1]
        entries.pop()

    def _all_entries(self) -> list[Entry]:
        return [entry for entries in self._by_label.values() for entry in entries]

    def state_dict(self) -> dict[str, Any]:
        """Return the documents, the counts by label, and the random generator's state."""
        return {
            "labels": list(self._by_label),
            **_pack(self._all_entries()),
            "seen": dict(self._seen_of),
            "full": sorted(self._full),
            "dropped": self._dropped,
            "random": self._random.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state; a smaller buffer removes documents of the most frequent labels."""
        self._by_label = {label: [] for label in state["labels"]}
        for entry in _unpack(state):
            self._by_label[entry.example.document.label or ""].append(entry)
        self._seen_of = dict(state["seen"])
        self._full = set(state["full"])
        self._dropped = state["dropped"]
        self._random.bit_generator.state = state["random"]
        while len(self) > self._capacity:
            self._remove_random(max(self._by_label.values(), key=len))


def _pack(entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "numbers": [entry.number for entry in entries],
        "examples": serialization.pack_examples([entry.example for entry in entries]),
    }


def _unpack(state: dict[str, Any]) -> list[Entry]:
    examples = serialization.unpack_examples(state["examples"])
    return [Entry(*pair) for pair in zip(state["numbers"], examples, strict=True)]


def _stats(
    entries: Sequence[Entry], capacity: int, seen: int, label_counts: Sequence[int]
) -> BufferStats:
    if not entries:
        return BufferStats(0, capacity, 0.0, 0.0)
    shares = [count / len(entries) for count in label_counts if count]
    entropy = -sum(share * math.log(share) for share in shares)
    balance = entropy / math.log(len(shares)) if len(shares) > 1 else 1.0
    age = seen - sum(entry.number for entry in entries) / len(entries)
    return BufferStats(len(entries), capacity, age, balance)


def _draw(random: np.random.Generator, entries: list[Entry], count: int) -> list[Entry]:
    indices = random.choice(len(entries), min(count, len(entries)), replace=False)
    return [entries[index] for index in indices]
