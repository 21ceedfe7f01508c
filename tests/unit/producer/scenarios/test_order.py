"""Orders of the documents."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsreel.events.change import Change
from newsreel.events.document import Document
from producer.scenarios import order
from producer.scenarios.stream import ScenarioError

sizes = st.integers(0, 30)

repeats = st.integers(1, 4)

seeds = st.integers()

START = datetime(1993, 4, 1, tzinfo=UTC)


def documents(size: int) -> list[Document]:
    return [Document(f"id{number}", f"text {number}", "a") for number in range(size)]


@given(size=sizes, seed=seeds)
def test_shuffled_pass_is_a_permutation(size: int, seed: int) -> None:
    """A pass contains each document once; the same seed gives the same order."""
    corpus = documents(size)
    assert Counter(order.shuffled(corpus, Random(seed))) == Counter(corpus)
    assert order.shuffled(corpus, Random(seed)) == order.shuffled(corpus, Random(seed))


@given(size=sizes, repeat=repeats, seed=seeds)
def test_ids_are_unique(size: int, repeat: int, seed: int) -> None:
    """No id occurs twice, whatever the number of passes."""
    random = Random(seed)
    stream = list(order.replay(lambda: order.shuffled(documents(size), random), repeat))
    ids = [document.id for document in stream if isinstance(document, Document)]
    assert len(set(ids)) == len(ids) == size * repeat


@given(size=sizes, limit=st.integers(1, 100))
def test_limit_is_a_prefix(size: int, limit: int) -> None:
    """A limit cuts the stream and keeps its beginning; only documents count."""
    stream = [item for doc in documents(size) for item in (Change("some", "change"), doc)]
    assert list(order.limited(iter(stream), limit)) == stream[: 2 * limit]


def test_ids_of_passes() -> None:
    """Ids of later passes end with the number of the pass."""
    stream = order.replay(lambda: documents(2), 3)
    ids = [document.id for document in stream if isinstance(document, Document)]
    assert ids == ["id0", "id1", "id0#2", "id1#2", "id0#3", "id1#3"]


def test_streams() -> None:
    """A corpus in its own order is streamed, and may be endless."""
    endless = (Document(str(number), "text") for number in itertools.count())
    assert len(list(order.limited(order.replay(lambda: endless, 1), 5))) == 5


def test_passes_differ() -> None:
    """Each pass has another random order."""
    random = Random(0)
    assert order.shuffled(documents(20), random) != order.shuffled(documents(20), random)


def test_resume() -> None:
    """A resumed stream skips published documents; those that break the contract don't count."""
    stream = [Change("some", "change"), *documents(2), Document("empty", ""), *documents(3)]
    assert list(order.resume(iter(stream), 3)) == stream[5:]


@given(st.permutations(range(20)))
def test_chronological_by_time(places: list[int]) -> None:
    """Documents with times are sorted by them."""
    corpus = [Document(f"a{n}", "text", "ab"[n % 2], START + timedelta(n)) for n in places]
    assert [document.id for document in order.chronological(corpus)] == [f"a{n}" for n in range(20)]


def test_chronological_without_some_times() -> None:
    """A document without a time follows its neighbour of the same label."""
    times = {1: 10, 2: 20, 4: 40}
    corpus = [
        Document(f"a/{n}", "text", "a", START + timedelta(times[n]) if n in times else None)
        for n in (4, 3, 2, 1, 0)
    ]
    corpus.append(Document("b/7", "text", "b", START + timedelta(15)))
    corpus.append(Document("c/7", "text", "c"))
    ids = [document.id for document in order.chronological(corpus)]
    assert ids[:2] == ["a/0", "a/1"]
    assert [id_ for id_ in ids if id_ != "c/7"] == ["a/0", "a/1", "b/7", "a/2", "a/3", "a/4"]


def test_chronological_by_number() -> None:
    """Without any time, article numbers decide, and labels begin and end together."""
    corpus = [Document(f"train/a/{n}", "text", "a") for n in (9, 100, 20, 3)]
    corpus += [Document(f"train/b/{n}", "text", "b") for n in (52, 51)]
    ids = [document.id.removeprefix("train/") for document in order.chronological(corpus)]
    assert ids == ["a/3", "b/51", "a/9", "a/20", "b/52", "a/100"]


def test_no_chronology() -> None:
    """Documents with neither times nor numbers are refused; the error names the options."""
    with pytest.raises(ScenarioError, match="--time-column"):
        order.chronological([Document("x", "text", "a")])
