"""Scenarios: each makes its change of the stream and no other, reproducibly by its seed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from random import Random

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
    items, _ = plan.build(plan.parse(scenario), documents, seed, 1, lambda number, _: number / 10)
    return list(items)


def only_documents(items: Sequence[Item]) -> list[Document]:
    return [item for item in items if isinstance(item, Document)]


def changes(items: Sequence[Item], what: str = "") -> list[tuple[int, Change]]:
    """Return the changes whose kind begins with ``what``, with the number of documents before."""
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
    "class-incremental:groups=4:returning=0.5",
    "abrupt:start=100",
    "gradual:start=50:width=100",
    "recurring:period=50",
    "prior-shift:period=100",
    "label-swap:start=100:labels=4",
    "label-swap:start=100:width=50",
    "noise:share=0.2:start=20",
    "duplicates:share=0.1:within=10",
    "late:share=0.2:within=10",
    "delayed-labels:mean=30:missing=0.2",
    "class-incremental:groups=2,label-swap:start=10,noise,late,duplicates",
]


@pytest.mark.parametrize("scenario", ALL)
@settings(max_examples=10)
@given(seed=seeds)
def test_seed_decides(scenario: str, seed: int) -> None:
    """The same seed makes the same stream, with the same changes and labels."""
    assert stream(scenario, corpus(300), seed) == stream(scenario, corpus(300), seed)


@pytest.mark.parametrize("scenario", [scenario for scenario in ALL if scenario != AS_IS])
def test_seeds_differ(scenario: str) -> None:
    """Different seeds make different streams."""
    assert stream(scenario, corpus(300), 1) != stream(scenario, corpus(300), 2)


@pytest.mark.parametrize("scenario", ALL)
@settings(max_examples=10)
@given(seed=seeds)
def test_texts_stay(scenario: str, seed: int) -> None:
    """No scenario invents a document, changes a text or, except duplicates, repeats a document."""
    texts = {document.id: document.text for document in corpus(300)}
    result = only_documents(stream(scenario, corpus(300), seed))
    assert all(texts[document.id] == document.text for document in result)
    if "duplicates" not in scenario:
        assert len({document.id for document in result}) == len(result)


@settings(max_examples=20)
@given(seed=seeds, groups=st.integers(1, 8))
def test_class_incremental(seed: int, groups: int) -> None:
    """Labels arrive in groups and never return; the changes have their names and places."""
    items = stream(f"class-incremental:groups={groups}", corpus(400), seed)
    found = changes(items)
    assert len(found) == groups
    sizes = [len(change.details["labels"]) for _, change in found]
    assert sum(sizes) == len(LABELS)
    assert max(sizes) - min(sizes) <= 1
    result = only_documents(items)
    assert Counter(result) == Counter(corpus(400))
    for (first, change), (end, _) in pairwise([*found, (len(result), found[0][1])]):
        assert {document.label for document in result[first:end]} == set(change.details["labels"])


def test_returning() -> None:
    """Of labels that return, a share arrives in later groups, evenly among them."""
    items = stream("class-incremental:groups=4:returning=0.6", corpus(20_000))
    starts = [number for number, _ in changes(items)]
    first = set(changes(items)[0][1].details["labels"])
    total = sum(document.label in first for document in corpus(20_000))
    parts = [
        sum(document.label in first for document in only_documents(items)[begin:end]) / total
        for begin, end in pairwise([*starts, 20_000])
    ]
    assert parts == pytest.approx([0.4, 0.2, 0.2, 0.2], abs=0.03)


@settings(max_examples=20)
@given(seed=seeds, start=st.integers(0, 150))
def test_abrupt(seed: int, start: int) -> None:
    """All documents before the change have old topics, all after it new ones."""
    items = stream(f"abrupt:start={start}", corpus(400), seed)
    ((number, change),) = changes(items)
    assert number == start
    result = [document.label for document in only_documents(items)]
    assert set(result[:start]) <= set(change.details["instead of"])
    assert set(result[start:]) == set(change.details["labels"])
    both = change.details["labels"] + change.details["instead of"]
    assert sorted(both) == LABELS


def test_gradual() -> None:
    """The share of the new topics grows linearly; beginning and end are announced."""
    items = stream("gradual:start=2000:width=4000", corpus(20_000))
    (begins, change), (complete, _) = changes(items)
    assert begins == pytest.approx(2000, abs=2)
    assert complete == 6000
    new = [document.label in change.details["labels"] for document in only_documents(items)]
    assert not any(new[:2000])
    assert all(new[6000:])
    for begin, share in ((2000, 0.125), (3000, 0.375), (4000, 0.625), (5000, 0.875)):
        assert sum(new[begin : begin + 1000]) == pytest.approx(1000 * share, abs=50)


def test_recurring() -> None:
    """Topics alternate as long as there are documents of both halves."""
    items = stream("recurring:period=100", corpus(1000))
    found = changes(items)
    assert [number for number, _ in found] == list(range(100, 100 * len(found) + 1, 100))
    assert [change.what for _, change in found[:3]] == [
        *("new topics", "old topics again", "new topics")
    ]
    new = set(found[0][1].details["labels"])
    for number, document in enumerate(only_documents(items)):
        assert (document.label in new) == bool(number // 100 % 2)


def test_prior_shift() -> None:
    """Labels are thinned out to 1 / rank, by ranks that shift by one each period."""
    items = stream("prior-shift:period=20000", corpus(40_000))
    (_, first), (second, then) = changes(items)
    ranked = first.details["labels"]
    assert then.details["labels"] == ranked[1:] + ranked[:1]
    counts = Counter(document.label for document in only_documents(items)[:second])
    for rank, label in enumerate(ranked, 1):
        assert counts[label] == pytest.approx(2500 / rank, rel=0.15)


@settings(max_examples=20)
@given(seed=seeds, start=st.integers(0, 300), labels=st.integers(2, 8))
def test_label_swap(seed: int, start: int, labels: int) -> None:
    """From a place on, some labels are exchanged in pairs; nothing else changes."""
    before = only_documents(stream("shuffled", corpus(300), seed))
    items = stream(f"label-swap:start={start}:labels={labels}", corpus(300), seed)
    after = only_documents(items)
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


def test_gradual_label_swap() -> None:
    """During the width of the change, old and new labels are mixed."""
    before = only_documents(stream("shuffled", corpus(6000)))
    items = stream("label-swap:start=1000:width=4000:labels=8", corpus(6000))
    assert [number for number, _ in changes(items)] == [pytest.approx(1000, abs=2), 5000]
    changed = [a.label != b.label for a, b in zip(before, only_documents(items), strict=True)]
    assert sum(changed[1000:3000]) == pytest.approx(500, abs=70)
    assert sum(changed[3000:5000]) == pytest.approx(1500, abs=70)


def test_noise() -> None:
    """A share of the labels is wrong, evenly among all others; changes have the right ones."""
    before = only_documents(stream("shuffled", corpus(10_000)))
    items = stream("noise:share=0.3:start=2000", corpus(10_000))
    wrong = {
        document.id: (document.label, old.label)
        for document, old in zip(only_documents(items), before, strict=True)
        if document.label != old.label
    }
    assert len(wrong) == pytest.approx(2400, abs=150)
    assert not {document.id for document in before[:2000]} & wrong.keys()
    announced = {
        change.details["id"]: change.details["label"] for _, change in changes(items, "wrong")
    }
    assert announced == {id_: right for id_, (_, right) in wrong.items()}
    assert set(Counter(given for given, _ in wrong.values())) == set(LABELS)


@settings(max_examples=20)
@given(seed=seeds, within=st.integers(1, 30))
def test_duplicates(seed: int, within: int) -> None:
    """Some documents are repeated soon and unchanged; first copies keep their order."""
    before = only_documents(stream("shuffled", corpus(300), seed))
    result = only_documents(stream(f"duplicates:share=0.2:within={within}", corpus(300), seed))
    assert list(dict.fromkeys(result)) == before
    places: dict[str, int] = {}
    distances: list[int] = []
    for document in result:
        if document.id in places:
            distances.append(len(places) - places[document.id])
        places.setdefault(document.id, len(places) + 1)
    assert 20 < len(distances) < 110
    assert max(Counter(document.id for document in result).values()) == 2
    # Each distance counts the first copies of other documents in between.
    assert 0 <= min(distances) <= max(distances) <= within


@settings(max_examples=20)
@given(seed=seeds, within=st.integers(1, 30))
def test_late(seed: int, within: int) -> None:
    """Some documents arrive later, within the given number of documents; none is lost."""
    before = only_documents(stream("shuffled", corpus(300), seed))
    result = only_documents(stream(f"late:share=0.2:within={within}", corpus(300), seed))
    assert Counter(result) == Counter(before)
    place = {document.id: number for number, document in enumerate(before)}
    late = [number - place[document.id] for number, document in enumerate(result)]
    assert max(late) <= within
    assert result != before


def test_delayed_labels() -> None:
    """Labels are separate items after their documents, except a share that never arrives."""
    items = stream("delayed-labels:mean=200:missing=0.1", corpus(10_000))
    right = {document.id: document.label for document in corpus(10_000)}
    assert all(document.label is None for document in only_documents(items))
    assert [document.id for document in only_documents(items)] == [
        document.id for document in only_documents(stream("shuffled", corpus(10_000)))
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
    assert mean == pytest.approx(200, rel=0.05)  # the end of the stream shortens a few
    assert sum(delay > 200 for delay in delays) / len(delays) == pytest.approx(0.37, abs=0.02)


@pytest.mark.parametrize(
    ("spread", "least", "most"), [("uniform", 1, 401), ("none", 201, 201), ("exponential", 1, 9000)]
)
def test_spread_of_delays(spread: str, least: int, most: int) -> None:
    """Delays are all equal, uniformly or exponentially distributed."""
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


def test_places_in_seconds() -> None:
    """Start, width and period may be times; here ten documents arrive each second."""
    ((number, _),) = changes(stream("label-swap:start=9s", corpus(300)))
    assert number == 90
    ((number, _),) = changes(stream("abrupt:start=0.1m", corpus(300)))
    assert number == 60
    assert len(changes(stream("prior-shift:period=10s", corpus(300)))) == 3


def test_documents_without_label() -> None:
    """Documents without a label pass unchanged."""
    unlabelled = [Document(str(number), "text") for number in range(20)]
    for scenario in ("class-incremental:groups=2", "abrupt", "label-swap", "noise", "prior-shift"):
        result = only_documents(stream(scenario, [*corpus(100), *unlabelled]))
        assert sum(document.label is None for document in result) in {
            0 if scenario == "abrupt" else 20,
            20,
        }


def test_composed() -> None:
    """Transforms are applied one after the other."""
    items = stream("as-is,label-swap:start=0:labels=8,noise:share=1", corpus(50))
    swap = dict(map(tuple, changes(items, "labels exchanged")[0][1].details["pairs"]))
    swap |= {new: old for old, new in swap.items()}
    announced = {
        change.details["id"]: change.details["label"] for _, change in changes(items, "wrong")
    }
    assert announced == {document.id: swap[str(document.label)] for document in corpus(50)}


def test_endless() -> None:
    """A corpus in its own order may be endless."""

    def endless() -> Iterable[Document]:
        while True:
            yield from corpus(10)

    items, total = plan.build(plan.parse(AS_IS), endless(), 0, 1, lambda *_: 0.0)
    assert total is None
    assert len(list(islice(items, 100))) == 100


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ("drift", "there is no 'drift'; choose of shuffled"),
        ("", "there is no ''"),
        ("noise,shuffled", "'shuffled' is an order of the documents"),
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
    """The error about an unknown scenario or parameter lists the known ones."""
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
def test_unsuitable_parameters(scenario: str) -> None:
    """Parameters that don't fit the corpus give an error before the first document."""
    name = scenario.partition(":")[0]
    with pytest.raises(ScenarioError, match=f"{name}|start and width"):
        next(iter(stream(scenario, corpus(50))))


def test_every_scenario_is_tested() -> None:
    """The list of tested scenarios contains each scenario."""
    assert set(SCENARIOS) <= {
        part.partition(":")[0] for scenario in ALL for part in scenario.split(",")
    }


def test_parameters() -> None:
    """Each scenario has its known parameters."""
    known = {name: set(plan.parameters(name)) for name in plan.NAMES}
    assert known["label-swap"] == {"start", "width", "labels"}
    assert known["class-incremental"] == {"groups", "returning"}
    assert known["chronological"] == set()
