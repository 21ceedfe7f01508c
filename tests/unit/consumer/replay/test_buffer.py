"""Replay buffers are bounded, sample fairly, and restore exactly."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.features.extractor import Example
from consumer.replay.buffer import ClassBalancedReservoir, ReplayBuffer, Reservoir
from newsreel.events.document import Document

BUFFERS: list[type[Reservoir] | type[ClassBalancedReservoir]] = [Reservoir, ClassBalancedReservoir]

MAX_DEVIATIONS = 5.0
"""Standard deviations; a fair count exceeds this distance once in millions of counts."""

Buffer = Callable[[int, int], ReplayBuffer]

Restore = Callable[[ReplayBuffer, ReplayBuffer], None]

Steps = list[tuple[int, int]]
"""Number of documents to sample, and number of documents to add, in each step of a loop."""

SKEW = [0.5, 0.2, 0.15, 0.1, 0.04, 0.01]

label_lists = st.lists(st.sampled_from(["a", "b", "c", "d", "è", ""]), max_size=120)

skewed = st.integers(0, 2**32).map(
    lambda seed: list(np.random.default_rng(seed).choice(list("abcdef"), 150, p=SKEW))
)
"""Streams with rare labels that are longer than the capacity of any buffer."""


def labelled(labels: Sequence[str]) -> list[Example]:
    """Return examples whose features contain the number of their document."""
    return [
        Example(Document(str(n), f"text {n}", str(label)), {"number": torch.tensor([n] * (n % 4))})
        for n, label in enumerate(labels)
    ]


def documents(examples: Iterable[Example]) -> list[Document]:
    return [example.document for example in examples]


def content(buffer: ReplayBuffer) -> list[Example]:
    return buffer.sample(len(buffer))


def counts(buffer: ReplayBuffer) -> Counter[str | None]:
    return Counter(document.label for document in documents(content(buffer)))


def intact(examples: Iterable[Example]) -> bool:
    """Return whether every document has its own features."""
    numbers = [
        (int(example.document.id), example.features["number"].tolist()) for example in examples
    ]
    return all(values == [number] * (number % 4) for number, values in numbers)


@pytest.mark.parametrize("buffer", BUFFERS)
@settings(deadline=None)
@given(
    labels=label_lists,
    capacity=st.integers(1, 30),
    sizes=st.lists(st.integers(1, 20), min_size=1),
    count=st.integers(0, 40),
)
def test_bounded(
    buffer: Buffer, labels: list[str], capacity: int, sizes: list[int], count: int
) -> None:
    """A buffer grows up to its capacity; a sample has no duplicates and no foreign documents."""
    replay = buffer(capacity, 0)
    stream = labelled(labels)
    seen = 0
    for size in [*sizes, len(stream)]:
        replay.add(stream[seen : seen + size])
        seen = min(seen + size, len(stream))
        assert len(replay) == min(seen, capacity)
        sample = replay.sample(count)
        assert len(sample) == min(count, len(replay))
        assert len({example.document.id for example in sample}) == len(sample)
        assert set(documents(sample)) <= set(documents(stream[:seen]))
        assert intact(sample)


@pytest.mark.parametrize("buffer", BUFFERS)
@settings(deadline=None)
@given(
    labels=skewed,
    capacity=st.integers(1, 30),
    steps=st.lists(st.tuples(st.integers(0, 8), st.integers(2, 9)), min_size=20, max_size=20),
    stop=st.integers(0, 19),
)
def test_restored_has_the_same_future(
    restore: Restore, buffer: Buffer, labels: list[str], capacity: int, steps: Steps, stop: int
) -> None:
    """A buffer that is restored anywhere in a stream draws the same samples as without a stop."""

    def run(replay: ReplayBuffer, stream: Iterator[Example], steps: Steps) -> list[Any]:
        seen: list[Any] = []
        for count, new in steps:
            sample = replay.sample(count)
            assert intact(sample)
            seen.append(documents(sample))
            replay.add(islice(stream, new))
            seen.append(len(replay))
        return seen

    uninterrupted, stopped, restored = (buffer(capacity, seed) for seed in (1, 1, 2))
    whole = run(uninterrupted, iter(labelled(labels)), steps)

    stream = iter(labelled(labels))
    before = run(stopped, stream, steps[:stop])
    restore(stopped, restored)
    after = run(restored, stream, steps[stop:])

    assert before + after == whole
    assert documents(content(restored)) == documents(content(uninterrupted))


@pytest.mark.parametrize("buffer", BUFFERS)
def test_examples_survive_a_restart(restore: Restore, buffer: Buffer) -> None:
    """A restored document has the same text, label, time and features as the saved document."""
    time = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    document = Document("ü", "\n\u2028\U0001f4f0", "läbel", time)
    features = {"hidden": torch.randn(3, 4).half(), "tokens": torch.arange(3, dtype=torch.int32)}
    saved, restored = buffer(3, 0), buffer(3, 0)
    saved.add([Example(document, features)])
    restore(saved, restored)
    (example,) = content(restored)
    assert example.document == document
    assert list(example.features) == list(features)
    for name, tensor in features.items():
        assert example.features[name].dtype == tensor.dtype
        assert torch.equal(example.features[name], tensor)


@pytest.mark.parametrize("buffer", BUFFERS)
def test_empty_buffer_and_empty_features_survive_a_restart(
    restore: Restore, buffer: Buffer
) -> None:
    """An empty buffer and documents without features are restored."""
    saved, restored = buffer(3, 0), buffer(3, 0)
    restore(saved, restored)
    assert content(restored) == []
    saved.add([Example(Document("1", "text", "a"), {})])
    restore(saved, restored)
    assert content(restored) == [Example(Document("1", "text", "a"), {})]


def inclusion(buffer: Buffer, stream: list[Example], capacity: int, runs: int) -> list[int]:
    """Count how often each document is in the buffer at the end of the stream."""
    inclusions: Counter[str] = Counter()
    for seed in range(runs):
        replay = buffer(capacity, seed)
        for start in range(0, len(stream), 7):
            replay.sample(3)
            replay.add(stream[start : start + 7])
        inclusions.update(document.id for document in documents(content(replay)))
    return [inclusions[document.id] for document in documents(stream)]


def test_reservoir_is_unbiased() -> None:
    """The reservoir holds early and late documents with the same probability."""
    runs, capacity, stream = 2000, 20, 100
    included = inclusion(Reservoir, labelled(["a"] * stream), capacity, runs)
    share = capacity / stream
    deviation = math.sqrt(runs * share * (1 - share))
    assert max(abs(count - runs * share) for count in included) < MAX_DEVIATIONS * deviation


def test_class_balanced_is_unbiased_within_a_label() -> None:
    """The buffer holds early and late documents of one label with the same probability."""
    runs, capacity = 2000, 20
    labels = (["a"] * 9 + ["b"]) * 10  # the full buffer holds 10 of each label
    included = inclusion(ClassBalancedReservoir, labelled(labels), capacity, runs)
    frequent = [count for count, label in zip(included, labels, strict=True) if label == "a"]
    share = 10 / len(frequent)
    deviation = math.sqrt(runs * share * (1 - share))
    assert max(abs(count - runs * share) for count in frequent) < MAX_DEVIATIONS * deviation
    assert all(count == runs for count, label in zip(included, labels, strict=True) if label == "b")


@pytest.mark.parametrize("buffer", BUFFERS)
def test_samples_are_unbiased(buffer: Buffer) -> None:
    """Samples contain every document of the buffer equally often."""
    replay = buffer(30, 0)
    replay.add(labelled(["a", "b", "b"] * 10))
    draws, size = 3000, 5
    drawn = Counter(example.document.id for _ in range(draws) for example in replay.sample(size))
    share = size / len(replay)
    deviation = math.sqrt(draws * share * (1 - share))
    assert len(drawn) == len(replay)
    assert max(abs(count - draws * share) for count in drawn.values()) < MAX_DEVIATIONS * deviation


@settings(deadline=None)
@given(label_lists, st.integers(1, 30))
def test_rare_labels_are_complete(labels: list[str], capacity: int) -> None:
    """Each label has all its documents in the buffer, or at most one less than the largest has."""
    replay = ClassBalancedReservoir(capacity, 0)
    for example in labelled(labels):
        replay.add([example])
    held, seen = counts(replay), Counter(labels)
    largest = max(held.values(), default=0)
    assert all(held[label] >= min(seen[label], largest - 1) for label in seen)


def test_class_balanced_on_a_zipf_stream() -> None:
    """The balanced buffer holds equally many documents of rare labels; the reservoir loses them."""
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, 21) ** 1.5
    numbers = random.choice(20, 5000, p=weights / weights.sum())
    stream = labelled([f"label {number}" for number in numbers])
    seen = Counter(document.label for document in documents(stream))
    assert max(seen.values()) > 30 * min(seen.values())  # the stream is imbalanced

    balanced, plain = ClassBalancedReservoir(200, 0), Reservoir(200, 0)
    balanced.add(stream)
    plain.add(stream)
    assert set(counts(balanced).values()) <= {9, 10, 11}
    assert min(counts(plain)[label] for label in seen) < 5


@pytest.mark.parametrize("buffer", BUFFERS)
def test_restored_into_a_smaller_buffer(restore: Restore, buffer: Buffer) -> None:
    """A state that is restored into a smaller buffer is reduced to its capacity."""
    large, small = buffer(20, 0), buffer(10, 0)
    large.add(labelled(["a", "b"] * 20))
    restore(large, small)
    assert intact(content(small))
    small.add(labelled(["a", "b"] * 20))
    assert len(small) <= 10


@pytest.mark.parametrize("buffer", BUFFERS)
@settings(deadline=None, max_examples=50)
@given(labels=label_lists, capacity=st.integers(1, 30))
def test_stats(buffer: Buffer, labels: list[str], capacity: int) -> None:
    """The statistics are the number of documents, their mean age and the balance of labels."""
    replay = buffer(capacity, 0)
    replay.add(labelled(labels))
    stats, held = replay.stats(), content(replay)
    assert (stats.documents, stats.capacity) == (len(held), capacity)
    if not held:
        assert (stats.age, stats.balance) == (0.0, 0.0)
        return
    ages = [len(labels) - 1 - int(example.document.id) for example in held]
    assert stats.age == pytest.approx(np.mean(ages))
    shares = np.array(list(counts(replay).values())) / len(held)
    maximum = math.log(len(shares)) if len(shares) > 1 else 1.0
    assert stats.balance == pytest.approx(
        -(shares @ np.log(shares)) / maximum if maximum != 1.0 else 1.0
    )


@pytest.mark.parametrize("buffer", BUFFERS)
def test_drop(buffer: Buffer) -> None:
    """`drop` removes all documents of the labels; the next documents fill the free slots."""
    replay = buffer(30, 0)
    replay.add(labelled("abc" * 50))
    replay.drop(["a", "unknown"])
    assert counts(replay).keys() == {"b", "c"}
    remaining = len(replay)
    replay.add(labelled("a" * (30 - remaining)))
    assert len(replay) == 30
    assert counts(replay)["a"] == 30 - remaining
    assert replay.stats().age < 180
