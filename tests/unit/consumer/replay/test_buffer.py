"""The replay buffers: bounded, fair, and exact over a restart."""

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

SURE = 5.0
"""Standard deviations that a fair count is off by once in millions of counts."""

Buffer = Callable[[int, int], ReplayBuffer]

Restore = Callable[[ReplayBuffer, ReplayBuffer], None]

Turns = list[tuple[int, int]]
"""Documents asked for, and then offered, in each turn of a loop."""

SKEW = [0.5, 0.2, 0.15, 0.1, 0.04, 0.01]

label_lists = st.lists(st.sampled_from(["a", "b", "c", "d", "è", ""]), max_size=120)

skewed = st.integers(0, 2**32).map(
    lambda seed: list(np.random.default_rng(seed).choice(list("abcdef"), 150, p=SKEW))
)
"""Streams that fill any buffer, in which some labels are rare."""


def labelled(labels: Sequence[str]) -> list[Example]:
    """Make examples, each with features that tell which document they are of."""
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
    """Whether every document still has its own features."""
    numbers = [(int(e.document.id), e.features["number"].tolist()) for e in examples]
    return all(values == [number] * (number % 4) for number, values in numbers)


@pytest.mark.parametrize("buffer", BUFFERS)
@settings(deadline=None)
@given(
    labels=label_lists,
    capacity=st.integers(1, 30),
    groups=st.lists(st.integers(1, 20), min_size=1),
    asked=st.integers(0, 40),
)
def test_bounded(
    buffer: Buffer, labels: list[str], capacity: int, groups: list[int], asked: int
) -> None:
    """It holds what it was given until it is full; a sample is of that, and has no duplicates."""
    replay = buffer(capacity, 0)
    stream = labelled(labels)
    seen = 0
    for group in [*groups, len(stream)]:
        replay.add(stream[seen : seen + group])
        seen = min(seen + group, len(stream))
        assert len(replay) == min(seen, capacity)
        sample = replay.sample(asked)
        assert len(sample) == min(asked, len(replay))
        assert len({example.document.id for example in sample}) == len(sample)
        assert set(documents(sample)) <= set(documents(stream[:seen]))
        assert intact(sample)


@pytest.mark.parametrize("buffer", BUFFERS)
@settings(deadline=None)
@given(
    labels=skewed,
    capacity=st.integers(1, 30),
    turns=st.lists(st.tuples(st.integers(0, 8), st.integers(2, 9)), min_size=20, max_size=20),
    stop=st.integers(0, 19),
)
def test_restored_has_the_same_future(
    restore: Restore, buffer: Buffer, labels: list[str], capacity: int, turns: Turns, stop: int
) -> None:
    """Saved and restored anywhere in a stream, it goes on as if it had never stopped."""

    def go_on(replay: ReplayBuffer, stream: Iterator[Example], turns: Turns) -> list[Any]:
        seen: list[Any] = []
        for asked, offered in turns:
            sample = replay.sample(asked)
            assert intact(sample)
            seen.append(documents(sample))
            replay.add(islice(stream, offered))
            seen.append(len(replay))
        return seen

    uninterrupted, stopped, restored = (buffer(capacity, seed) for seed in (1, 1, 2))
    whole = go_on(uninterrupted, iter(labelled(labels)), turns)

    stream = iter(labelled(labels))
    before = go_on(stopped, stream, turns[:stop])
    restore(stopped, restored)
    after = go_on(restored, stream, turns[stop:])

    assert before + after == whole
    assert documents(content(restored)) == documents(content(uninterrupted))


@pytest.mark.parametrize("buffer", BUFFERS)
def test_examples_survive_a_restart(restore: Restore, buffer: Buffer) -> None:
    """A document comes back from a saved buffer with everything it had, features too."""
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
def test_nothing_survives_a_restart(restore: Restore, buffer: Buffer) -> None:
    """A buffer that is empty, or whose documents need no features, is restored, too."""
    saved, restored = buffer(3, 0), buffer(3, 0)
    restore(saved, restored)
    assert content(restored) == []
    saved.add([Example(Document("1", "text", "a"), {})])
    restore(saved, restored)
    assert content(restored) == [Example(Document("1", "text", "a"), {})]


def inclusion(buffer: Buffer, stream: list[Example], capacity: int, runs: int) -> list[int]:
    """Count how often each document is in the buffer at the end of the stream."""
    held: Counter[str] = Counter()
    for seed in range(runs):
        replay = buffer(capacity, seed)
        for start in range(0, len(stream), 7):
            replay.sample(3)
            replay.add(stream[start : start + 7])
        held.update(document.id for document in documents(content(replay)))
    return [held[document.id] for document in documents(stream)]


def test_reservoir_is_unbiased() -> None:
    """Whenever a document came, it is in the reservoir with the same probability."""
    runs, capacity, stream = 2000, 20, 100
    held = inclusion(Reservoir, labelled(["a"] * stream), capacity, runs)
    share = capacity / stream
    deviation = math.sqrt(runs * share * (1 - share))
    assert max(abs(count - runs * share) for count in held) < SURE * deviation


def test_class_balanced_is_unbiased_within_a_label() -> None:
    """Of the documents of one label, early and late ones are held with the same probability."""
    runs, capacity = 2000, 20
    labels = (["a"] * 9 + ["b"]) * 10  # in the end 10 of each are held
    held = inclusion(ClassBalancedReservoir, labelled(labels), capacity, runs)
    often = [count for count, label in zip(held, labels, strict=True) if label == "a"]
    share = 10 / len(often)
    deviation = math.sqrt(runs * share * (1 - share))
    assert max(abs(count - runs * share) for count in often) < SURE * deviation
    assert all(count == runs for count, label in zip(held, labels, strict=True) if label == "b")


@pytest.mark.parametrize("buffer", BUFFERS)
def test_samples_are_unbiased(buffer: Buffer) -> None:
    """Every document in the buffer is replayed equally often."""
    replay = buffer(30, 0)
    replay.add(labelled(["a", "b", "b"] * 10))
    draws, asked = 3000, 5
    drawn = Counter(one.document.id for _ in range(draws) for one in replay.sample(asked))
    share = asked / len(replay)
    deviation = math.sqrt(draws * share * (1 - share))
    assert len(drawn) == len(replay)
    assert max(abs(count - draws * share) for count in drawn.values()) < SURE * deviation


@settings(deadline=None)
@given(label_lists, st.integers(1, 30))
def test_class_balanced_as_far_as_the_stream_allows(labels: list[str], capacity: int) -> None:
    """A label that has fewer documents than the largest one, but for one, has all it ever had."""
    replay = ClassBalancedReservoir(capacity, 0)
    for example in labelled(labels):
        replay.add([example])
    held, seen = counts(replay), Counter(labels)
    largest = max(held.values(), default=0)
    assert all(held[label] >= min(seen[label], largest - 1) for label in seen)


def test_class_balanced_on_a_zipf_stream() -> None:
    """Where a reservoir forgets the rare labels, this one holds as many of them as of any."""
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, 21) ** 1.5
    numbers = random.choice(20, 5000, p=weights / weights.sum())
    stream = labelled([f"label {number}" for number in numbers])
    seen = Counter(document.label for document in documents(stream))
    assert max(seen.values()) > 30 * min(seen.values())  # it is a hard one

    balanced, plain = ClassBalancedReservoir(200, 0), Reservoir(200, 0)
    balanced.add(stream)
    plain.add(stream)
    assert set(counts(balanced).values()) <= {9, 10, 11}
    assert min(counts(plain)[label] for label in seen) < 5


@pytest.mark.parametrize("buffer", BUFFERS)
def test_restored_into_a_smaller_buffer(restore: Restore, buffer: Buffer) -> None:
    """A restart with a smaller capacity leaves no more than that in the buffer."""
    large, small = buffer(20, 0), buffer(10, 0)
    large.add(labelled(["a", "b"] * 20))
    restore(large, small)
    assert intact(content(small))
    small.add(labelled(["a", "b"] * 20))
    assert len(small) <= 10


@pytest.mark.parametrize("buffer", BUFFERS)
@settings(deadline=None, max_examples=50)
@given(labels=label_lists, capacity=st.integers(1, 30))
def test_census(buffer: Buffer, labels: list[str], capacity: int) -> None:
    """It tells how full it is, how old what it holds is, and how even its labels are."""
    made = buffer(capacity, 0)
    made.add(labelled(labels))
    found, held = made.stats(), content(made)
    assert (found.documents, found.capacity) == (len(held), capacity)
    if not held:
        assert (found.age, found.balance) == (0.0, 0.0)
        return
    ages = [len(labels) - 1 - int(example.document.id) for example in held]
    assert found.age == pytest.approx(np.mean(ages))
    shares = np.array(list(counts(made).values())) / len(held)
    most = math.log(len(shares)) if len(shares) > 1 else 1.0
    assert found.balance == pytest.approx(-(shares @ np.log(shares)) / most if most != 1.0 else 1.0)


@pytest.mark.parametrize("buffer", BUFFERS)
def test_drop(buffer: Buffer) -> None:
    """Documents of some labels are dropped; their room is filled by what comes next."""
    replay = buffer(30, 0)
    replay.add(labelled("abc" * 50))
    replay.drop(["a", "unknown"])
    assert counts(replay).keys() == {"b", "c"}
    left = len(replay)
    replay.add(labelled("a" * (30 - left)))
    assert len(replay) == 30
    assert counts(replay)["a"] == 30 - left
    assert replay.stats().age < 180
