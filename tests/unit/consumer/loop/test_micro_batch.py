"""The documents of a learning step depend on the stream alone."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import build_loop, numbered, read, resume

from consumer.kafka.batch import Origin
from consumer.loop.micro_batch import MicroBatch
from newsreel.events.document import Document

streams = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60)

groups = st.lists(st.integers(0, 9), max_size=40)


@settings(deadline=None)
@given(
    labels=streams, groups=groups, size=st.integers(1, 9), ratio=st.sampled_from([0.0, 1.0, 2.5])
)
def test_grouping_does_not_matter(
    labels: list[str | None],
    groups: list[int],
    size: int,
    ratio: float,
) -> None:
    """Learning steps have the same new and replayed documents, however documents arrive."""
    documents = numbered(labels)
    at_once = build_loop(size, ratio)
    read(at_once, documents)
    grouped = build_loop(size, ratio)
    read(grouped, documents, groups=groups)
    assert grouped.classifier.learner.learned == at_once.classifier.learner.learned
    assert repr(grouped.evaluator.scores()) == repr(at_once.evaluator.scores())


@settings(deadline=None)
@given(labels=streams, groups=groups, size=st.integers(1, 9), stop=st.integers(0, 60))
def test_a_stop_does_not_matter(
    labels: list[str | None], groups: list[int], size: int, stop: int
) -> None:
    """A loop that is stopped and restored anywhere learns the same as one without a stop."""
    documents = numbered(labels)
    uninterrupted = build_loop(size)
    read(uninterrupted, documents)

    stopped = build_loop(size)
    read(stopped, documents[:stop], groups=groups, ends=False)
    restarted = build_loop(size)
    resume(restarted, stopped)
    read(restarted, documents[stop:])

    learned = stopped.classifier.learner.learned + restarted.classifier.learner.learned
    assert learned == uninterrupted.classifier.learner.learned
    assert repr(restarted.evaluator.scores()) == repr(uninterrupted.evaluator.scores())


@settings(deadline=None)
@given(labels=streams, size=st.integers(1, 9))
def test_labelled_documents_are_learned_once(labels: list[str | None], size: int) -> None:
    """Unlabelled documents count in a micro-batch and are not learned; all others are, once."""
    documents = numbered(labels)
    loop = build_loop(size, replay_ratio=0.0)
    read(loop, documents)
    learned = [id_ for batch in loop.classifier.learner.learned for id_ in batch]
    assert learned == [document.id for document in documents if document.label is not None]
    expected = [
        [d.id for d in documents[start : start + size] if d.label is not None]
        for start in range(0, len(documents), size)
    ]
    assert loop.classifier.learner.learned == [batch for batch in expected if batch]


@settings(deadline=None)
@given(labels=streams, groups=groups, size=st.integers(1, 9))
def test_pauses_do_not_matter(labels: list[str | None], groups: list[int], size: int) -> None:
    """Empty batches do not change what is learned; their steps have no predictions."""
    steady, halting = build_loop(size), build_loop(size)
    read(steady, numbered(labels), groups=[count for count in groups if count])
    steps = read(halting, numbered(labels), groups=groups)
    assert halting.classifier.learner.calls == steady.classifier.learner.calls
    assert repr(halting.evaluator.scores()) == repr(steady.evaluator.scores())
    for step in steps[:-1]:
        assert len(step.batch.origins) == len(step.predictions)
        assert bool(step.seconds) == bool(step.predictions)
        assert step.predictions or step.learned is None
    offsets = [origin.offset for step in steps for origin in step.batch.origins]
    assert offsets == [*range(len(labels))]


def test_no_learning_during_a_pause() -> None:
    """An empty batch starts no learning step, even if more documents than a micro-batch wait."""
    stopped = build_loop(batch_size=8, replay_ratio=0.0)
    read(stopped, numbered("abcabc"), ends=False)
    restarted = build_loop(batch_size=3, replay_ratio=0.0)
    resume(restarted, stopped)
    pause = read(restarted, numbered("a"), groups=[0], ends=False)[0]
    assert (pause.learned, pause.seconds) == (None, {})
    assert restarted.classifier.learner.learned == [["0", "1", "2", "3", "4", "5", "0"]]


@pytest.mark.parametrize("smaller", [3, 2])
def test_restarted_with_a_smaller_size(smaller: int) -> None:
    """Documents saved under a larger micro-batch are learned, and then the rest of the stream."""
    documents = numbered("abcabcabc")
    stopped = build_loop(batch_size=8, replay_ratio=0.0)
    read(stopped, documents[:3], ends=False)
    restarted = build_loop(batch_size=smaller, replay_ratio=0.0)
    resume(restarted, stopped)
    read(restarted, documents[3:])
    learned = [id_ for batch in restarted.classifier.learner.learned for id_ in batch]
    assert learned == [document.id for document in documents]


def test_state() -> None:
    """A restored micro-batch has the documents, the origins and the room of the saved one."""
    documents = [
        (Document("1", "ein Text", "ä"), Origin(0, 7)),
        (Document("2", "\u2028", None), Origin(3, 1 << 40)),
    ]
    saved, restored = MicroBatch(5), MicroBatch(5)
    saved.add(documents)
    restored.load_state_dict(json.loads(json.dumps(saved.state_dict())))
    assert (len(restored), restored.room) == (2, 3)
    micro_batch = restored.take()
    assert micro_batch == documents
    assert micro_batch[1][1].offset == 1 << 40
    assert (len(restored), restored.room) == (0, 5)
