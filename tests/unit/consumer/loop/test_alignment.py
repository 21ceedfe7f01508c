"""Documents and labels are read in an order that lets them meet, whatever their timestamps are."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.checkpoints.state import pack_state, unpack_state
from consumer.loop.alignment import Alignment

BEGIN = 1_764_070_530_000

CAPACITY = 200


class Entry(NamedTuple):
    """A record of either topic."""

    id: str
    timestamp: int
    is_label: bool = False


Clock = Callable[[int], int]

CLOCKS: Mapping[str, Clock] = {
    "right": lambda ms: ms,
    "missing": lambda _: -1,
    "zero": lambda _: 0,
    "seconds": lambda ms: ms // 1000,
    "microseconds": lambda ms: ms * 1000,
    "nanoseconds": lambda ms: ms * 10**6,
    "a minute fast": lambda ms: ms + 60_000,
    "a minute slow": lambda ms: ms - 60_000,
    "another zone": lambda ms: ms + 5 * 3_600_000,
    "loaded later": lambda _: BEGIN + 10**10,
    "loaded before": lambda _: BEGIN - 10**10,
}


class Topics(NamedTuple):
    """A topic of documents, and a topic of labels."""

    documents: Sequence[Entry]
    labels: Sequence[Entry]

    def by(self, documents: Clock, labels: Clock) -> "Topics":
        """Return the same records with the timestamps of other clocks."""
        return Topics(
            [each._replace(timestamp=documents(each.timestamp)) for each in self.documents],
            [each._replace(timestamp=labels(each.timestamp)) for each in self.labels],
        )


def topics(
    random: Random, count: int, step: int, delay: float, labelled: float, others: float
) -> Topics:
    """Return documents ``step`` ms apart, labels of some of them, and labels of others.

    The mean delay of a label is ``delay`` documents; ``others`` is their share of the labels.
    """
    documents = [Entry(f"d{n}", BEGIN + n * step) for n in range(count)]
    labels = [
        Entry(each.id, each.timestamp + 1 + round(step * delay * random.expovariate(1)), True)
        for each in documents
        if random.random() < labelled
    ]
    strangers = round(len(labels) * others / (1 - others))
    labels += [
        Entry(f"other-{n}", BEGIN + random.randrange(count * step), True) for n in range(strangers)
    ]
    return Topics(documents, sorted(labels, key=lambda entry: entry.timestamp))


def read(
    topics: Topics, alignment: Alignment | None = None, *, restart_at: int | None = None
) -> list[Entry]:
    """Return the order in which both topics are read to their ends, as a backlog is read."""
    alignment = alignment or Alignment(CAPACITY)
    documents, labels = list(reversed(topics.documents)), list(reversed(topics.labels))
    found: list[Entry] = []
    while documents or labels:
        if len(found) == restart_at:
            tensors: dict[str, torch.Tensor] = {}
            state = json.dumps(pack_state(alignment.state_dict(), "alignment", tensors))
            alignment = Alignment(CAPACITY)
            alignment.load_state_dict(unpack_state(json.loads(state), tensors))
        label_next = bool(labels)
        if documents and labels:
            label_next = alignment.label_is_next(documents[-1].timestamp, labels[-1].timestamp)
        entry = (labels if label_next else documents).pop()
        note = alignment.read_label if entry.is_label else alignment.read_document
        note(entry.id)
        found.append(entry)
    return found


def met(records: Sequence[Entry]) -> int:
    """Return the number of labels that meet their document, if `CAPACITY` of each side can wait."""
    pending: OrderedDict[str, None] = OrderedDict()
    early: OrderedDict[str, None] = OrderedDict()
    count = 0
    for entry in records:
        own, other = (early, pending) if entry.is_label else (pending, early)
        if entry.id in other:
            del other[entry.id]
            count += 1
        else:
            own[entry.id] = None
            if len(own) > CAPACITY:
                own.popitem(last=False)
    return count


def by_time(topics: Topics) -> list[Entry]:
    return sorted(
        [*topics.documents, *topics.labels], key=lambda entry: (entry.timestamp, entry.is_label)
    )


mixtures = st.builds(
    topics,
    st.builds(Random, st.integers(0, 10**6)),
    st.sampled_from([CAPACITY // 2, 5 * CAPACITY]),
    st.sampled_from([1, 100, 5000]),
    st.sampled_from([0.0, 2.0]),
    labelled=st.sampled_from([0.3, 1.0]),
    others=st.sampled_from([0.0, 0.5, 0.9]),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    mixture=mixtures,
    documents=st.sampled_from(sorted(CLOCKS)),
    labels=st.sampled_from(sorted(CLOCKS)),
)
def test_any_clocks(mixture: Topics, documents: str, labels: str) -> None:
    """All labels meet their documents, with few or many documents and labels that have no pair."""
    found = read(mixture.by(CLOCKS[documents], CLOCKS[labels]))
    ids = {each.id for each in mixture.documents}
    assert met(found) == sum(each.id in ids for each in mixture.labels)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(mixture=mixtures)
def test_right_clocks(mixture: Topics) -> None:
    """With right clocks the order is that of time, however many documents have no label."""
    ids = {each.id for each in mixture.documents}
    own = Topics(mixture.documents, [each for each in mixture.labels if each.id in ids])
    assert read(own) == by_time(own)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    mixture=mixtures,
    documents=st.sampled_from(sorted(CLOCKS)),
    labels=st.sampled_from(sorted(CLOCKS)),
    restart_at=st.integers(0, 3 * CAPACITY),
)
def test_restart(mixture: Topics, documents: str, labels: str, restart_at: int) -> None:
    """The order after a restart is that without one."""
    mixture = mixture.by(CLOCKS[documents], CLOCKS[labels])
    assert read(mixture, restart_at=restart_at) == read(mixture)


@pytest.mark.parametrize("clock", sorted(set(CLOCKS) - {"right"}))
def test_documents_beyond_capacity(clock: str) -> None:
    """A backlog of more documents than can wait meets all its labels, and neither topic stops."""
    mixture = topics(Random(0), 20 * CAPACITY, 100, 5.0, labelled=1.0, others=0.0)
    right = CLOCKS["right"]
    assert met(read(mixture.by(right, CLOCKS[clock]))) == 20 * CAPACITY
    assert met(read(mixture.by(CLOCKS[clock], right))) == 20 * CAPACITY


def test_label_that_never_comes() -> None:
    """Documents without labels do not wait for labels, nor labels without documents for them."""
    documents = [Entry(f"d{n}", BEGIN + n) for n in range(5 * CAPACITY)]
    labels = [Entry(f"other-{n}", BEGIN + n, True) for n in range(5 * CAPACITY)]
    found = read(Topics(documents, labels))
    assert found == by_time(Topics(documents, labels))
    longest = max(abs(sum(1 if each.is_label else -1 for each in found[:n])) for n in range(2000))
    assert longest <= CAPACITY


def test_smaller_capacity() -> None:
    """State that is restored into a smaller capacity keeps the latest records."""
    alignment, smaller = Alignment(CAPACITY), Alignment(2)
    for number in range(5):
        alignment.read_document(f"d{number}")
    smaller.load_state_dict(alignment.state_dict())
    assert len(smaller.state_dict()["documents"]["ids"]) == 2
