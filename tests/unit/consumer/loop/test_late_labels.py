"""Labels that come later: joined, scored as predicted at arrival, and learned once."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import build_loop, resume

from consumer.kafka.batch import Batch, LabelRecord, Origin
from consumer.labels import LabelSet
from consumer.loop.labelling import ImmediateLabels, LabelOutcome, PendingDocumentsError
from consumer.loop.late_labels import LateLabels
from consumer.loop.step import Step
from newsreel.events.document import Document
from newsreel.events.label import Label

Event = Document | Label


class Events:
    """A source of documents and labels in one order, cut into batches of up to so many."""

    def __init__(self, events: Iterable[Event], labels: LabelSet, *sizes: int) -> None:
        self._events = list(events)
        self._labels = labels
        self._sizes = list(sizes)
        self._read = self._read_labels = 0

    def read(self, at_most: int) -> Batch | None:
        if not self._events:
            return None
        size = self._sizes.pop(0) if self._sizes else 10**6
        documents: list[Document] = []
        labels: list[LabelRecord] = []
        while self._events and len(documents) + len(labels) < size:
            learnable = len(labels) + sum(one.label is not None for one in documents)
            if max(len(documents), learnable) >= at_most:
                break
            event = self._events.pop(0)
            if event.label is not None:
                self._labels.add(event.label)
            if isinstance(event, Document):
                documents.append(event)
            else:
                labels.append(
                    LabelRecord(event, len(documents), 50.0 + self._read + len(documents))
                )
        first = self._read
        self._read += len(documents)
        self._read_labels += len(labels)
        places = range(first, self._read)
        return Batch(
            documents,
            [Origin(0, place) for place in places],
            [float(place) for place in places],
            [],
            {0: self._read},
            {0: 0},
            {},
            labels,
            {0: self._read_labels},
        )


def document(number: int, label: str | None = None) -> Document:
    return Document(f"d{number}", f"text {number}", label)


def fates(steps: Sequence[Step]) -> Counter[LabelOutcome]:
    return sum((Counter(step.labelled.outcomes) for step in steps), Counter[LabelOutcome]())


Read = Callable[..., tuple[Any, list[Step]]]


@pytest.fixture(scope="session")
def read() -> Read:
    def call(events: Iterable[Event], *sizes: int, capacity: int = 100) -> tuple[Any, list[Step]]:
        made = build_loop(batch_size=4, replay_ratio=0.0, labelling=LateLabels(capacity))
        return made, list(made.run(Events(events, made.classifier.labels, *sizes)))

    return call


def test_scored_as_predicted_at_arrival(read: Read) -> None:
    """What was said when a document came counts, not what would be said when its label comes."""
    known = [document(n, "a") for n in range(4)]
    waits = [document(n) for n in range(4, 8)]  # predicted to be "a"
    change = [document(n, "b") for n in range(8, 20)]  # now "b" is most frequent
    labels = [Label(f"d{n}", "b") for n in range(4, 8)]
    made, steps = read([*known, *waits, *change, *labels])
    joined = [one for step in steps for one in step.labelled.joined]
    assert [one.prediction.predicted.label for one in joined] == ["a"] * 4
    assert not any(one.prediction.correct for one in joined)
    assert steps[-1].repredicted is not None
    assert steps[-1].repredicted.recall["b"] > 0  # it would be right by now
    whole = made.evaluator.scores().whole
    assert whole.documents == 20
    # 4 are predicted before anything is known, 4 as "a" at arrival, and "b" has to be learned.
    assert whole.recall == {"a": 0.0, "b": pytest.approx(4 / 16)}


def test_learned_when_the_label_comes(read: Read) -> None:
    """A document is learned once, with the label that came for it, in the order of the labels."""
    documents = [document(n) for n in range(8)]
    labels = [Label(f"d{n}", "ab"[n % 2]) for n in (3, 1, 0, 7)]
    made, steps = read([*documents, *labels])
    assert made.classifier.learner.learned == [["d3", "d1", "d0", "d7"]]
    assert made.classifier.learner.counts == {0: 3, 1: 1}
    assert made.classifier.labels.names == ["b", "a"]
    assert steps[-1].labelled.pending == 4
    assert fates(steps) == {LabelOutcome.JOINED: 4}
    assert [one.origin.offset for step in steps for one in step.labelled.joined] == [3, 1, 0, 7]
    assert [one.seconds for step in steps for one in step.labelled.joined] == [
        55.0,
        57.0,
        58.0,
        51.0,
    ]


def test_other_texts_are_noticed_though_no_label_comes(read: Read) -> None:
    """The inputs are looked at as they arrive: a change of them needs no label to be seen."""
    usual = [document(7919 * number % 100_003) for number in range(1400)]
    others = [replace(document(number), id=f"zzz{number}") for number in range(300)]
    made, steps = read([*usual, *others], capacity=10)
    assert not any(step.learned for step in steps)
    (drift,) = [drift for step in steps for drift in step.drift.detected]
    assert drift.detector == "inputs"
    assert 1400 < drift.documents <= 1600
    assert made.adaptation.last_detected["inputs"] == drift.documents


def test_documents_count_as_they_arrive(read: Read) -> None:
    """A drift of the error is told after as many documents as had come, waiting ones included."""
    waits = [document(number) for number in range(3000)]
    labels = [Label(f"d{number}", "a") for number in range(2000)]
    labels += [Label(f"d{number}", "b") for number in range(2000, 2600)]
    _, steps = read(
        [*waits[:2], *[document(n, "a") for n in range(5000, 5004)], *waits[2:], *labels],
        capacity=3000,
    )
    first = next(
        drift for step in steps for drift in step.drift.detected if drift.detector == "error"
    )
    assert first.documents == 3004


def test_every_label_has_a_fate(read: Read) -> None:
    """Repeated, conflicting and orphaned labels change nothing, and are counted."""
    events = [
        Label("d1", "early"),
        document(1),
        Label("d1", "a"),
        Label("d1", "a"),
        Label("d1", "b"),
        Label("nobody", "a"),
        document(2, "a"),
        Label("d2", "a"),
    ]
    made, steps = read(events)
    assert fates(steps) == {
        LabelOutcome.ORPHANED: 3,
        LabelOutcome.JOINED: 1,
        LabelOutcome.REPEATED: 1,
        LabelOutcome.CONFLICTING: 1,
    }
    assert made.evaluator.scores().whole.counts == {"a": 2}


def test_the_first_expire(read: Read) -> None:
    """No more wait than there is room for; labels of those that expired are orphaned."""
    events = [*(document(n) for n in range(10)), Label("d2", "a"), Label("d7", "a")]
    _, steps = read(events, capacity=4)
    assert fates(steps) == {
        LabelOutcome.EXPIRED: 6,
        LabelOutcome.ORPHANED: 1,
        LabelOutcome.JOINED: 1,
    }
    assert steps[-1].labelled.pending == 3


def test_a_document_that_comes_again(read: Read) -> None:
    """Of two under one id, the later one waits: its label is learned once."""
    _, steps = read([document(1), document(2), document(1), Label("d1", "a"), Label("d1", "a")])
    assert fates(steps) == {LabelOutcome.JOINED: 1, LabelOutcome.REPEATED: 1}
    assert [one.origin.offset for step in steps for one in step.labelled.joined] == [2]


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Documents, some with their label, some whose labels come later or never."""
    events: list[Event] = []
    waiting: list[int] = []
    for number in range(draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(["with", "without", "without"]))
        events.append(document(number, draw(st.sampled_from("ab")) if kind == "with" else None))
        if kind == "without":
            waiting.append(number)
        while waiting and draw(st.booleans()):
            which = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
            events.append(Label(f"d{which}", draw(st.sampled_from("ab"))))
    return events


@settings(max_examples=60, deadline=None)
@given(events=streams(), sizes=st.lists(st.integers(1, 9), max_size=30))
def test_batches_don_t_matter(read: Read, events: list[Event], sizes: list[int]) -> None:
    """However a stream is cut as it arrives, the same is predicted, scored, learned and kept."""
    whole, expected = read(events)
    cut, found = read(events, *sizes)
    assert cut.classifier.learner.learned == whole.classifier.learner.learned
    assert cut.evaluator.state_dict() == whole.evaluator.state_dict()
    assert cut.labelling.state_dict()["labelled"] == whole.labelling.state_dict()["labelled"]
    assert fates(found) == fates(expected)
    said = [
        [p.predicted for step in steps for p in step.predictions] for steps in (found, expected)
    ]
    assert said[0] == said[1]


@settings(max_examples=40, deadline=None)
@given(events=streams(), split=st.integers(1, 40))
def test_goes_on_as_if_never_stopped(read: Read, events: list[Event], split: int) -> None:
    """A consumer that was stopped and restored ends like one that was not."""
    whole, _ = read(events)
    first, _ = read(events[:split])
    second = build_loop(batch_size=4, replay_ratio=0.0, labelling=LateLabels(100))
    resume(second, first)
    list(second.run(Events(events[split:], second.classifier.labels)))
    assert second.classifier.learner.state_dict() == whole.classifier.learner.state_dict()
    assert second.evaluator.state_dict() == whole.evaluator.state_dict()
    assert second.labelling.state_dict()["documents"] == whole.labelling.state_dict()["documents"]
    assert second.labelling.repredicted_scores() == whole.labelling.repredicted_scores()


def test_nobody_would_read_the_labels(read: Read) -> None:
    """A checkpoint in which documents wait is not gone on from without the labels."""
    made, _ = read([document(1)])
    with pytest.raises(PendingDocumentsError, match=r"1 documents .* --late-labels"):
        ImmediateLabels().load_state_dict(made.labelling.state_dict())
    empty, _ = read([document(1, "a")])
    ImmediateLabels().load_state_dict(empty.labelling.state_dict())
    pending = LateLabels(5)
    pending.load_state_dict(ImmediateLabels().state_dict())
    assert pending.state_dict()["documents"] == []


def test_a_smaller_store(read: Read) -> None:
    """Of more than fit, the first expire; what is kept is what a checkpoint may hold."""
    made, _ = read([document(n) for n in range(6)])
    state = made.labelling.state_dict()
    json.dumps({key: state[key] for key in ("documents", "origins", "written", "labelled")})
    smaller = LateLabels(2)
    smaller.load_state_dict(state)
    assert [row[0] for row in smaller.state_dict()["documents"]] == ["d4", "d5"]
