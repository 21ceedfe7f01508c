"""What scenarios do to a stream: nothing but what they say, and the same for the same seed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsreel.events.change import Change
from newsreel.events.document import Document
from newsreel.events.label import Label
from producer.scenarios import plan
from producer.scenarios.plan import AS_IS, SCENARIOS
from producer.scenarios.stream import Item, ScenarioError

LABELS = [f"label {number:02}" for number in range(8)]

seeds = st.integers(0, 1000)


def corpus(count: int, seed: int = 0) -> list[Document]:
    random = Random(seed)
    return [Document(f"id{n}", f"text {n}", random.choice(LABELS)) for n in range(count)]


def stream(scenario: str, documents: Iterable[Document], seed: int = 0) -> list[Item]:
    made, _ = plan.build(plan.parse(scenario), documents, seed, 1, lambda number, _: number / 10)
    return list(made)


def of(items: Sequence[Item]) -> list[Document]:
    return [item for item in items if isinstance(item, Document)]


def changes(items: Sequence[Item], what: str = "") -> list[tuple[int, Change]]:
    """Return what changed, with the number of documents before."""
    found = []
    number = 0
    for item in items:
        if isinstance(item, Change) and item.what.startswith(what):
            found.append((number, item))
        number += isinstance(item, Document)
    return found


ALL = [
    *plan.ORDERS[:2],
    "class-incremental:groups=4",
    "class-incremental:groups=4:returning=.5",
    "abrupt:start=100",
    "gradual:start=50:width=100",
    "recurring:period=50",
    "prior-shift:period=100",
    "label-swap:start=100:labels=4",
    "label-swap:start=100:width=50",
    "noise:share=.2:start=20",
    "duplicates:share=.1:within=10",
    "late:share=.2:within=10",
    "delayed-labels:mean=30:missing=.2",
    "class-incremental:groups=2,label-swap:start=10,noise,late,duplicates",
]


@pytest.mark.parametrize("scenario", ALL)
@settings(max_examples=10)
@given(seed=seeds)
def test_seed_decides(scenario: str, seed: int) -> None:
    """The same seed makes the same stream, truth and all."""
    assert stream(scenario, corpus(300), seed) == stream(scenario, corpus(300), seed)


@pytest.mark.parametrize("scenario", [one for one in ALL if one != AS_IS])
def test_seeds_differ(scenario: str) -> None:
    """Another seed makes another stream."""
    assert stream(scenario, corpus(300), 1) != stream(scenario, corpus(300), 2)


@pytest.mark.parametrize("scenario", ALL)
@settings(max_examples=10)
@given(seed=seeds)
def test_texts_are_of_the_corpus(scenario: str, seed: int) -> None:
    """No scenario invents a document, or changes its text; but for duplicates each comes once."""
    texts = {one.id: one.text for one in corpus(300)}
    made = of(stream(scenario, corpus(300), seed))
    assert all(texts[one.id] == one.text for one in made)
    if "duplicates" not in scenario:
        assert len({one.id for one in made}) == len(made)


@settings(max_examples=20)
@given(seed=seeds, groups=st.integers(1, 8))
def test_class_incremental(seed: int, groups: int) -> None:
    """Labels come group by group and never return; the truth says which, and when."""
    items = stream(f"class-incremental:groups={groups}", corpus(400), seed)
    found = changes(items)
    assert len(found) == groups
    sizes = [len(change.details["labels"]) for _, change in found]
    assert sum(sizes) == len(LABELS)
    assert max(sizes) - min(sizes) <= 1
    made = of(items)
    assert Counter(made) == Counter(corpus(400))
    for (first, change), (end, _) in pairwise([*found, (len(made), found[0][1])]):
        assert {one.label for one in made[first:end]} == set(change.details["labels"])


def test_returning() -> None:
    """Of labels that return, a share comes in later groups, evenly among them."""
    items = stream("class-incremental:groups=4:returning=.6", corpus(20_000))
    starts = [number for number, _ in changes(items)]
    first = set(changes(items)[0][1].details["labels"])
    total = sum(one.label in first for one in corpus(20_000))
    parts = [
        sum(one.label in first for one in of(items)[begin:end]) / total
        for begin, end in pairwise([*starts, 20_000])
    ]
    assert parts == pytest.approx([0.4, 0.2, 0.2, 0.2], abs=0.03)


@settings(max_examples=20)
@given(seed=seeds, start=st.integers(0, 150))
def test_abrupt(seed: int, start: int) -> None:
    """Up to a document all are of the old topics, from it on of the new; the truth says where."""
    items = stream(f"abrupt:start={start}", corpus(400), seed)
    ((number, change),) = changes(items)
    assert number == start
    made = [one.label for one in of(items)]
    assert set(made[:start]) <= set(change.details["instead of"])
    assert set(made[start:]) == set(change.details["labels"])
    both = change.details["labels"] + change.details["instead of"]
    assert sorted(both) == LABELS


def test_gradual() -> None:
    """The share of the new topics grows evenly; the truth tells beginning and end."""
    items = stream("gradual:start=2000:width=4000", corpus(20_000))
    (begins, change), (complete, _) = changes(items)
    assert begins == pytest.approx(2000, abs=2)
    assert complete == 6000
    new = [one.label in change.details["labels"] for one in of(items)]
    assert not any(new[:2000])
    assert all(new[6000:])
    for begin, share in ((2000, 0.125), (3000, 0.375), (4000, 0.625), (5000, 0.875)):
        assert sum(new[begin : begin + 1000]) == pytest.approx(1000 * share, abs=50)


def test_recurring() -> None:
    """Topics take turns as long as there are documents of both."""
    items = stream("recurring:period=100", corpus(1000))
    found = changes(items)
    assert [number for number, _ in found] == list(range(100, 100 * len(found) + 1, 100))
    assert [change.what for _, change in found[:3]] == [
        *("new topics", "old topics again", "new topics")
    ]
    new = set(found[0][1].details["labels"])
    for number, one in enumerate(of(items)):
        assert (one.label in new) == bool(number // 100 % 2)


def test_prior_shift() -> None:
    """Labels are thinned out to 1 / rank, by ranks that move on by one each period."""
    items = stream("prior-shift:period=20000", corpus(40_000))
    (_, first), (second, then) = changes(items)
    ranked = first.details["labels"]
    assert then.details["labels"] == ranked[1:] + ranked[:1]
    counts = Counter(one.label for one in of(items)[:second])
    for rank, label in enumerate(ranked, 1):
        assert counts[label] == pytest.approx(2500 / rank, rel=0.15)


@settings(max_examples=20)
@given(seed=seeds, start=st.integers(0, 300), labels=st.integers(2, 8))
def test_label_swap(seed: int, start: int, labels: int) -> None:
    """From a document on some labels are exchanged in pairs, both ways; nothing else changes."""
    before = of(stream("shuffled", corpus(300), seed))
    items = stream(f"label-swap:start={start}:labels={labels}", corpus(300), seed)
    after = of(items)
    if start == 300:
        assert after == before
        return
    ((number, change),) = changes(items)
    assert number == start
    other = dict(map(tuple, change.details["pairs"]))
    other |= {new: old for old, new in other.items()}
    assert len(other) == labels // 2 * 2
    assert after[:start] == before[:start]
    for old, new in zip(before[start:], after[start:], strict=True):
        assert (old.id, old.text) == (new.id, new.text)
        assert new.label == other.get(str(old.label), old.label)


def test_label_swap_takes_its_time() -> None:
    """Old and new names are used side by side for a while."""
    before = of(stream("shuffled", corpus(6000)))
    items = stream("label-swap:start=1000:width=4000:labels=8", corpus(6000))
    assert [number for number, _ in changes(items)] == [pytest.approx(1000, abs=2), 5000]
    changed = [a.label != b.label for a, b in zip(before, of(items), strict=True)]
    assert sum(changed[1000:3000]) == pytest.approx(500, abs=70)
    assert sum(changed[3000:5000]) == pytest.approx(1500, abs=70)


def test_noise() -> None:
    """A share of the labels is wrong, evenly among all others; the truth has the right ones."""
    before = of(stream("shuffled", corpus(10_000)))
    items = stream("noise:share=.3:start=2000", corpus(10_000))
    wrong = {
        one.id: (one.label, old.label)
        for one, old in zip(of(items), before, strict=True)
        if one.label != old.label
    }
    assert len(wrong) == pytest.approx(2400, abs=150)
    assert not {one.id for one in before[:2000]} & wrong.keys()
    told = {change.details["id"]: change.details["label"] for _, change in changes(items, "wrong")}
    assert told == {id_: right for id_, (_, right) in wrong.items()}
    assert set(Counter(given for given, _ in wrong.values())) == set(LABELS)


@settings(max_examples=20)
@given(seed=seeds, within=st.integers(1, 30))
def test_duplicates(seed: int, within: int) -> None:
    """Some documents come again, soon and unchanged; the others once, in their order."""
    before = of(stream("shuffled", corpus(300), seed))
    made = of(stream(f"duplicates:share=.2:within={within}", corpus(300), seed))
    assert list(dict.fromkeys(made)) == before
    came: dict[str, int] = {}
    again: list[int] = []
    for one in made:
        if one.id in came:
            again.append(len(came) - came[one.id])
        came.setdefault(one.id, len(came) + 1)
    assert 20 < len(again) < 110
    assert max(Counter(one.id for one in made).values()) == 2
    # So many others came for the first time in between.
    assert 0 <= min(again) <= max(again) <= within


@settings(max_examples=20)
@given(seed=seeds, within=st.integers(1, 30))
def test_late(seed: int, within: int) -> None:
    """Some documents come later than in order, by so many at most; none is lost."""
    before = of(stream("shuffled", corpus(300), seed))
    made = of(stream(f"late:share=.2:within={within}", corpus(300), seed))
    assert Counter(made) == Counter(before)
    place = {one.id: number for number, one in enumerate(before)}
    late = [number - place[one.id] for number, one in enumerate(made)]
    assert max(late) <= within
    assert made != before


def test_delayed_labels() -> None:
    """Labels come by themselves, after their documents, but for a share that never comes."""
    items = stream("delayed-labels:mean=200:missing=.1", corpus(10_000))
    right = {one.id: one.label for one in corpus(10_000)}
    assert all(one.label is None for one in of(items))
    assert [one.id for one in of(items)] == [
        one.id for one in of(stream("shuffled", corpus(10_000)))
    ]
    places: dict[str, int] = {}
    delays = []
    for item in items:
        if isinstance(item, Document):
            places[item.id] = len(places)
        elif isinstance(item, Label):
            assert item.label == right[item.id]
            delays.append(len(places) - places[item.id])
    assert len(delays) == pytest.approx(9000, abs=150)
    mean = sum(delays) / len(delays)
    assert min(delays) >= 1
    assert mean == pytest.approx(200, rel=0.05)  # but for those that the end cuts short
    assert sum(delay > 200 for delay in delays) / len(delays) == pytest.approx(0.37, abs=0.02)


@pytest.mark.parametrize(
    ("spread", "least", "most"), [("uniform", 1, 401), ("none", 201, 201), ("exponential", 1, 9000)]
)
def test_spread_of_delays(spread: str, least: int, most: int) -> None:
    """Delays may be alike, evenly distributed, or exponentially."""
    items = stream(f"delayed-labels:mean=200:missing=0:spread={spread}", corpus(5000))
    places: dict[str, int] = {}
    delays = []
    for item in items:
        if isinstance(item, Document):
            places[item.id] = len(places)
        elif isinstance(item, Label) and len(places) < 5000:
            delays.append(len(places) - places[item.id])
    assert least <= min(delays)
    assert max(delays) <= most
    assert sum(delays) / len(delays) == pytest.approx(200, rel=0.08)


def test_moments_in_time() -> None:
    """Start, width and period may be times: here ten documents come each second."""
    ((number, _),) = changes(stream("label-swap:start=9s", corpus(300)))
    assert number == 90
    ((number, _),) = changes(stream("abrupt:start=0.1m", corpus(300)))
    assert number == 60
    assert len(changes(stream("prior-shift:period=10s", corpus(300)))) == 3


def test_documents_without_label() -> None:
    """What has no label is streamed as it is."""
    unlabelled = [Document(str(number), "text") for number in range(20)]
    for scenario in ("class-incremental:groups=2", "abrupt", "label-swap", "noise", "prior-shift"):
        made = of(stream(scenario, [*corpus(100), *unlabelled]))
        assert sum(one.label is None for one in made) in {0 if scenario == "abrupt" else 20, 20}


def test_composed() -> None:
    """What is done to a stream is done one after the other."""
    items = stream("as-is,label-swap:start=0:labels=8,noise:share=1", corpus(50))
    swap = dict(map(tuple, changes(items, "labels exchanged")[0][1].details["pairs"]))
    swap |= {new: old for old, new in swap.items()}
    told = {change.details["id"]: change.details["label"] for _, change in changes(items, "wrong")}
    assert told == {one.id: swap[str(one.label)] for one in corpus(50)}


def test_endless() -> None:
    """A corpus that is streamed as it is need not end."""

    def endless() -> Iterable[Document]:
        while True:
            yield from corpus(10)

    made, total = plan.build(plan.parse(AS_IS), endless(), 0, 1, lambda *_: 0.0)
    assert total is None
    assert len(list(islice(made, 100))) == 100


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ("drift", "there is no 'drift'; choose of shuffled"),
        ("", "there is no ''"),
        ("noise,shuffled", "'shuffled' says in which order documents come"),
        ("noise:level=2", "noise has no parameter 'level'; it has share=0.1, start=0"),
        ("shuffled:seed=1", "shuffled has no parameter 'seed'; it has none at all"),
        ("noise:share=1:share=0", "noise:share=1:share=0: each parameter is given once"),
        ("noise:share=many", "noise:share=many: Input should be a valid number"),
        ("noise:share", "noise:share=: Input should be a valid number"),
        ("abrupt:start=soon", "abrupt:start=soon: should be a number of documents such as 2500"),
        ("delayed-labels,noise", "'delayed-labels' leaves no label with its document"),
        ("delayed-labels:spread=wide", "delayed-labels:spread=wide: Input should be 'exponential'"),
        ("late:within=1.5", "late:within=1.5: Input should be a valid integer"),
    ],
)
def test_mistakes(scenario: str, message: str) -> None:
    """A scenario that does not exist, or not like this, is told with what does."""
    with pytest.raises(ScenarioError) as caught:
        plan.parse(scenario)
    assert str(caught.value).startswith("scenario: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "scenario",
    [
        *("class-incremental:groups=9", "class-incremental:groups=0", "noise:share=2"),
        *("class-incremental:returning=2", "prior-shift:exponent=-1", "prior-shift:period=0"),
        *("late:within=0", "duplicates:share=-1", "label-swap:labels=1", "recurring:period=0"),
        *("gradual:start=100:width=5s", "label-swap:start=1s:width=5"),
    ],
)
def test_unfit(scenario: str) -> None:
    """What can't be done to a corpus is said as the first document is asked for."""
    name = scenario.partition(":")[0]
    with pytest.raises(ScenarioError, match=f"{name}|start and width"):
        next(iter(stream(scenario, corpus(50))))


def test_every_scenario_is_tested() -> None:
    """Each scenario is in the list above."""
    assert set(SCENARIOS) <= {part.partition(":")[0] for one in ALL for part in one.split(",")}


def test_parameters() -> None:
    """Each scenario tells its parameters and their defaults."""
    known: dict[str, Any] = {name: set(plan.parameters(name)) for name in plan.NAMES}
    assert known["label-swap"] == {"start", "width", "labels"}
    assert known["class-incremental"] == {"groups", "returning"}
    assert known["chronological"] == set()
