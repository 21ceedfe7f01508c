"""In which order documents arrive."""

import itertools
from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from events.document import Document
from producer import order

sizes = st.integers(0, 30)
repeats = st.integers(1, 4)
limits = st.none() | st.integers(1, 100)
seeds = st.integers()


def documents(size: int) -> list[Document]:
    return [Document(f"id{number}", f"text {number}", "a") for number in range(size)]


@given(size=sizes, repeat=repeats, seed=seeds)
def test_shuffled_pass_is_a_permutation(size: int, repeat: int, seed: int) -> None:
    """Each pass holds each document once."""
    corpus = documents(size)
    for number, shuffled in enumerate(order.shuffled(corpus, Random(seed))):
        if number == repeat:
            break
        assert Counter(shuffled) == Counter(corpus)


@given(size=sizes, repeat=repeats, limit=limits, seed=seeds)
def test_ids_are_unique(size: int, repeat: int, limit: int | None, seed: int) -> None:
    """No id comes twice, however many passes there are."""
    passes = order.shuffled(documents(size), Random(seed))
    ids = [document.id for document in order.replay(passes, repeat, limit)]
    assert len(ids) == len(set(ids))


@given(size=sizes, repeat=repeats, limit=limits)
def test_length(size: int, repeat: int, limit: int | None) -> None:
    """The stream has as many documents as the passes hold, or as the limit allows."""
    stream = order.replay(order.as_is(documents(size)), repeat, limit)
    assert len(list(stream)) == min(size * repeat, limit or size * repeat)


@given(size=sizes, repeat=repeats, limit=st.integers(1, 100), seed=seeds)
def test_limit_is_a_prefix(size: int, repeat: int, limit: int | None, seed: int) -> None:
    """A limit cuts the stream and changes nothing before the cut."""
    whole = order.replay(order.shuffled(documents(size), Random(seed)), repeat)
    cut = order.replay(order.shuffled(documents(size), Random(seed)), repeat, limit)
    assert list(cut) == list(whole)[:limit]


def test_as_is() -> None:
    """As-is passes keep the order; ids of later passes tell their number."""
    stream = order.replay(order.as_is(documents(2)), 3)
    assert [document.id for document in stream] == [
        "id0",
        "id1",
        "id0#2",
        "id1#2",
        "id0#3",
        "id1#3",
    ]


def test_as_is_streams() -> None:
    """A corpus that is read as it is need not fit into memory."""
    endless = (Document(str(number), "text") for number in itertools.count())
    assert len(list(order.replay(order.as_is(endless), 1, 5))) == 5


def test_seed_decides() -> None:
    """The same seed gives the same stream, another seed another."""

    def stream(seed: int) -> list[Document]:
        return list(order.replay(order.shuffled(documents(20), Random(seed)), 2))

    assert stream(1) == stream(1)
    assert stream(1) != stream(2)


def test_passes_differ() -> None:
    """Each pass is shuffled anew."""
    first, second = itertools.islice(order.shuffled(documents(20), Random(0)), 2)
    assert first != second
