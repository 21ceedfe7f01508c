"""Late labels are joined with their documents, scored by the first prediction, learned once."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import build_loop, resume
from structlog.testing import capture_logs

from consumer.kafka.batch import Batch, LabelRecord, Origin
from consumer.labels import LabelSet
from consumer.loop.labelling import (
    ImmediateLabels,
    LabelOutcome,
    OrphanReason,
    PendingDocumentsError,
)
from consumer.loop.late_labels import LateLabels
from consumer.loop.prequential import Loop
from consumer.loop.step import Step
from newsreel.events.document import Document
from newsreel.events.label import Label

Event = Document | Label


class EventSource:
    """A source of documents and labels in one order, in batches of the given sizes."""

    def __init__(
        self,
        events: Iterable[Event],
        labels: LabelSet,
        *sizes: int,
        expects: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._events = list(events)
        self._labels = labels
        self._expects = expects
        self._sizes = list(sizes)
        self._read = self._read_labels = 0

    def read(self, at_most: int) -> Batch | None:
        if not self._events:
            return None
        size = self._sizes.pop(0) if self._sizes else 10**6
        documents: list[Document] = []
        labels: list[LabelRecord] = []
        while self._events and len(documents) + len(labels) < size:
            learnable = len(labels) + sum(
                document.label is not None or self._expects(document.id) for document in documents
            )
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
        offsets = range(first, self._read)
        return Batch(
            documents,
            [Origin(0, offset) for offset in offsets],
            [float(offset) for offset in offsets],
            [],
            {0: self._read},
            {0: 0},
            {},
            labels=labels,
            label_positions={0: self._read_labels},
        )


def document(number: int, label: str | None = None) -> Document:
    return Document(f"d{number}", f"text {number}", label)


def outcomes(steps: Sequence[Step]) -> Counter[LabelOutcome]:
    return sum((Counter(step.labelled.outcomes) for step in steps), Counter[LabelOutcome]())


def orphans(steps: Sequence[Step]) -> list[tuple[str, OrphanReason]]:
    return [tuple(orphan) for step in steps for orphan in step.labelled.orphans]


def source(events: Iterable[Event], loop: Loop, *sizes: int) -> EventSource:
    return EventSource(events, loop.classifier.labels, *sizes, expects=loop.labelling.expects)


Read = Callable[..., tuple[Loop, list[Step]]]


@pytest.fixture(scope="session")
def read() -> Read:
    def call(events: Iterable[Event], *sizes: int, capacity: int = 100) -> tuple[Loop, list[Step]]:
        loop = build_loop(batch_size=4, replay_ratio=0.0, labelling=LateLabels(capacity))
        return loop, list(loop.run(source(events, loop, *sizes)))

    return call


def test_scored_as_predicted_at_arrival(read: Read) -> None:
    """The score counts the prediction at arrival, not one at the time of the label."""
    labelled = [document(n, "a") for n in range(4)]
    pending = [document(n) for n in range(4, 8)]  # predicted to be "a"
    change = [document(n, "b") for n in range(8, 20)]  # now "b" is most frequent
    labels = [Label(f"d{n}", "b") for n in range(4, 8)]
    loop, steps = read([*labelled, *pending, *change, *labels])
    joined = [label for step in steps for label in step.labelled.joined]
    assert [label.prediction.predicted.label for label in joined] == ["a"] * 4
    assert not any(label.prediction.correct for label in joined)
    assert steps[-1].repredicted is not None
    assert steps[-1].repredicted.recall["b"] > 0  # a prediction at this time is right
    whole = loop.evaluator.scores().whole
    assert whole.documents == 20
    # 4 are predicted before the first step, 4 as "a" at arrival, and 8 before "b" is learned.
    assert whole.recall == {"a": 0.0, "b": pytest.approx(4 / 16)}


def test_learned_when_the_label_comes(read: Read) -> None:
    """A document is learned once, with its label, in the order of the labels."""
    documents = [document(n) for n in range(8)]
    labels = [Label(f"d{n}", "ab"[n % 2]) for n in (3, 1, 0, 7)]
    loop, steps = read([*documents, *labels])
    assert loop.classifier.learner.learned == [["d3", "d1", "d0", "d7"]]
    assert loop.classifier.learner.counts == {0: 3, 1: 1}
    assert loop.classifier.labels.names == ["b", "a"]
    assert steps[-1].labelled.pending == 4
    assert outcomes(steps) == {LabelOutcome.JOINED: 4}
    assert [label.origin.offset for step in steps for label in step.labelled.joined] == [3, 1, 0, 7]
    assert [label.seconds for step in steps for label in step.labelled.joined] == [
        55.0,
        57.0,
        58.0,
        51.0,
    ]


def test_input_drift_without_labels(read: Read) -> None:
    """A shift of the inputs is detected at arrival, without labels."""
    usual = [document(7919 * number % 100_003) for number in range(1400)]
    others = [replace(document(number), id=f"zzz{number}") for number in range(300)]
    loop, steps = read([*usual, *others], capacity=10)
    assert not any(step.learned for step in steps)
    (drift,) = [drift for step in steps for drift in step.drift.detected]
    assert drift.detector == "inputs"
    assert 1400 < drift.documents <= 1600
    assert loop.adaptation.last_detected["inputs"] == drift.documents


@pytest.mark.slow
def test_place_of_an_error_drift(read: Read) -> None:
    """A drift of the error has the number of documents read, including pending documents."""
    pending = [document(number) for number in range(3000)]
    labels = [Label(f"d{number}", "a") for number in range(2000)]
    labels += [Label(f"d{number}", "b") for number in range(2000, 2600)]
    _, steps = read(
        [*pending[:2], *[document(n, "a") for n in range(5000, 5004)], *pending[2:], *labels],
        capacity=3000,
    )
    first = next(
        drift for step in steps for drift in step.drift.detected if drift.detector == "error"
    )
    assert first.documents == 3004


def test_outcomes_of_labels(read: Read) -> None:
    """Labels that repeat or contradict the first one are counted, and change nothing else."""
    events = [
        document(1),
        Label("d1", "a"),
        Label("d1", "a"),
        Label("d1", "b"),
        Label("unknown", "a"),
        document(2, "a"),
        Label("d2", "a"),
        Label("d2", "b"),
    ]
    loop, steps = read(events)
    assert outcomes(steps) == {
        LabelOutcome.JOINED: 1,
        LabelOutcome.REPEATED: 2,
        LabelOutcome.CONFLICTING: 2,
    }
    assert steps[-1].labelled.early == 1
    assert loop.evaluator.scores().whole.counts == {"a": 2}


def test_label_before_its_document(read: Read) -> None:
    """A label that is read first waits; the document is predicted, scored and learned at once."""
    known = [document(n, "a") for n in range(10, 14)]
    loop, steps = read([*known, Label("d1", "b"), document(2), document(1)])
    assert outcomes(steps) == {LabelOutcome.JOINED: 1}
    (joined,) = [label for step in steps for label in step.labelled.joined]
    assert joined.prediction.document == document(1, "b")
    assert joined.prediction.predicted.label == "a"  # as it was predicted on arrival
    assert joined.origin.offset == 5
    assert loop.evaluator.scores().whole.counts == {"a": 4, "b": 1}
    assert (steps[-1].labelled.pending, steps[-1].labelled.early) == (1, 0)


def test_first_of_several_labels_that_wait(read: Read) -> None:
    """Of several labels that are read before their document, the first one counts."""
    events = [Label("d1", "a"), Label("d1", "a"), Label("d1", "b"), document(1), Label("d1", "a")]
    loop, steps = read(events)
    assert outcomes(steps) == {
        LabelOutcome.JOINED: 1,
        LabelOutcome.REPEATED: 2,
        LabelOutcome.CONFLICTING: 1,
    }
    assert loop.evaluator.scores().whole.counts == {"a": 1}


def test_document_that_brings_another_label(read: Read) -> None:
    """A document's own label counts, not the one that waits for the document."""
    events = [Label("d1", "b"), Label("d2", "a"), document(1, "a"), document(2, "a")]
    loop, steps = read(events)
    assert outcomes(steps) == {LabelOutcome.CONFLICTING: 1, LabelOutcome.REPEATED: 1}
    assert loop.evaluator.scores().whole.counts == {"a": 2}
    assert steps[-1].labelled.early == 0


def test_delay_by_other_clocks(read: Read) -> None:
    """A label whose record is older than its document's has no delay."""
    loop, _ = read([])
    batch = Batch(
        [document(1)],
        [Origin(0, 0)],
        [100.0],
        [],
        {0: 1},
        {0: 0},
        {},
        labels=[LabelRecord(Label("d1", "a"), 1, 40.0)],
    )
    predicted = loop.classifier.predict(batch.documents)
    (joined,) = loop.labelling.take(batch, predicted, [], loop.classifier.labels).joined
    assert joined.seconds is None


def test_labels_of_others(read: Read) -> None:
    """Of labels whose documents never come, the oldest are orphaned; documents go on."""
    others = [Label(f"other-{n}", "a") for n in range(10)]
    _, steps = read([*others, document(1), Label("d1", "a")], capacity=4)
    assert outcomes(steps) == {LabelOutcome.ORPHANED: 6, LabelOutcome.JOINED: 1}
    assert orphans(steps) == [(f"other-{n}", OrphanReason.NO_DOCUMENT) for n in range(6)]
    assert steps[-1].labelled.early == 4


def test_oldest_documents_expire(read: Read) -> None:
    """Pending documents beyond the capacity expire; their labels are orphaned."""
    events = [*(document(n) for n in range(10)), Label("d2", "a"), Label("d7", "a")]
    _, steps = read(events, capacity=4)
    assert outcomes(steps) == {
        LabelOutcome.EXPIRED: 6,
        LabelOutcome.ORPHANED: 1,
        LabelOutcome.JOINED: 1,
    }
    assert orphans(steps) == [("d2", OrphanReason.EXPIRED)]
    assert steps[-1].labelled.pending == 3


def test_repeated_id(read: Read) -> None:
    """The latest of two documents with one id is pending, and learned once."""
    _, steps = read([document(1), document(2), document(1), Label("d1", "a"), Label("d1", "a")])
    assert outcomes(steps) == {LabelOutcome.JOINED: 1, LabelOutcome.REPEATED: 1}
    assert [label.origin.offset for step in steps for label in step.labelled.joined] == [2]


def test_shared_id(read: Read) -> None:
    """Nothing is joined to documents that share an id while they wait; all of it is counted."""
    first, second, third = (Document("c1", text) for text in ("card blocked", "crashes", "slow"))
    labels = [Label("c1", "cards"), Label("c1", "apps")]
    events = [first, second, labels[0], third, labels[1], document(2), Label("d2", "a")]
    with capture_logs() as log:
        loop, steps = read(events)
    assert outcomes(steps) == {LabelOutcome.AMBIGUOUS: 5, LabelOutcome.JOINED: 1}
    assert loop.evaluator.scores().whole.counts == {"a": 1}
    assert ["share an id" in line["event"] for line in log] == [True]


def test_id_used_again(read: Read) -> None:
    """A label that is repeated is not joined to a later document of the same id."""
    events = [document(1), Label("d1", "a"), Document("d1", "other"), Label("d1", "a")]
    _, steps = read(events)
    assert outcomes(steps) == {LabelOutcome.JOINED: 1, LabelOutcome.AMBIGUOUS: 2}


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Draw documents with and without labels, and labels before, after and without documents."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 30))):
        kind = draw(st.sampled_from(["with", "without", "without", "without"]))
        events.append(document(number, draw(st.sampled_from("ab")) if kind == "with" else None))
    for _ in range(draw(st.integers(0, 30))):
        label = Label(f"d{draw(st.integers(0, 34))}", draw(st.sampled_from("ab")))
        events.insert(draw(st.integers(0, len(events))), label)
    return events


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    events=streams(),
    sizes=st.lists(st.integers(1, 9), max_size=30),
    capacity=st.sampled_from([3, 100]),
)
def test_grouping_does_not_matter(
    read: Read, events: list[Event], sizes: list[int], capacity: int
) -> None:
    """Predictions, scores, learning steps and pending documents do not depend on the batches."""
    whole, expected = read(events, capacity=capacity)
    cut, found = read(events, *sizes, capacity=capacity)
    assert cut.classifier.learner.learned == whole.classifier.learner.learned
    assert cut.evaluator.state_dict() == whole.evaluator.state_dict()
    for part in ("documents", "early", "labelled", "past"):
        assert cut.labelling.state_dict()[part] == whole.labelling.state_dict()[part]
    assert outcomes(found) == outcomes(expected)
    predicted = [
        [p.predicted for step in steps for p in step.predictions] for steps in (found, expected)
    ]
    assert predicted[0] == predicted[1]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(events=streams(), split=st.integers(1, 60), capacity=st.sampled_from([3, 100]))
def test_a_stop_does_not_matter(read: Read, events: list[Event], split: int, capacity: int) -> None:
    """A loop that is stopped and restored ends with the same state as one without a stop."""
    whole, _ = read(events, capacity=capacity)
    first, _ = read(events[:split], capacity=capacity)
    second = build_loop(batch_size=4, replay_ratio=0.0, labelling=LateLabels(capacity))
    resume(second, first)
    list(second.run(source(events[split:], second)))
    assert second.classifier.learner.state_dict() == whole.classifier.learner.state_dict()
    assert second.evaluator.state_dict() == whole.evaluator.state_dict()
    for part in ("documents", "labelled", "past"):
        assert second.labelling.state_dict()[part] == whole.labelling.state_dict()[part]
    found, expected = second.labelling.state_dict()["early"], whole.labelling.state_dict()["early"]
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    assert second.labelling.repredicted_scores() == whole.labelling.repredicted_scores()


def test_pending_documents_need_late_labels(read: Read) -> None:
    """A checkpoint with pending documents is refused by a loop without late labels."""
    loop, _ = read([document(1)])
    with pytest.raises(PendingDocumentsError, match=r"1 documents .* --late-labels"):
        ImmediateLabels().load_state_dict(loop.labelling.state_dict())
    empty, _ = read([document(1, "a")])
    ImmediateLabels().load_state_dict(empty.labelling.state_dict())
    pending = LateLabels(5)
    pending.load_state_dict(ImmediateLabels().state_dict())
    assert pending.state_dict()["documents"] == []


def test_smaller_capacity(read: Read) -> None:
    """A state that is restored into a smaller capacity keeps the latest documents; it is JSON."""
    loop, _ = read([document(n) for n in range(6)])
    state = loop.labelling.state_dict()
    json.dumps({key: state[key] for key in ("documents", "origins", "written", "labelled")})
    smaller = LateLabels(2)
    smaller.load_state_dict(state)
    assert [row[0] for row in smaller.state_dict()["documents"]] == ["d4", "d5"]
    assert [id_ for id_, _ in smaller.state_dict()["past"]] == ["d2", "d3"]


def test_state_of_version_0_2(read: Read) -> None:
    """A checkpoint without labels that wait is restored; its order stays that of time alone."""
    loop, _ = read([document(1), document(2), Label("d2", "a")])
    state = loop.labelling.state_dict()
    for later in ("early", "past", "alignment"):
        del state[later]
    restored = LateLabels(100)
    restored.load_state_dict(state)
    assert restored.state_dict()["labelled"] == [["d2", "a"]]
    assert restored.state_dict()["early"] == []
    assert restored.state_dict()["alignment"] == {}
    for number in range(200):
        restored.alignment.read_document(f"d{number}")
    assert not restored.alignment.label_is_next(1, 2)
