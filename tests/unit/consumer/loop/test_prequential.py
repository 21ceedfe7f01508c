"""The loop: test, then train; each document once."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from helpers import apply_update, documents
from loops import build_loop, numbered, read

from consumer.kafka.batch import Batch, DeadLetter, Origin
from consumer.labels import LabelLimitError, LabelSet
from consumer.learners.prediction import predict, with_names
from consumer.learners.protocol import TrainingBatch
from consumer.loop.step import Learned
from consumer.replay.ratio import LagAwareRatio
from newsreel.events.errors import Reason


def test_every_document_is_predicted_before_it_is_learned() -> None:
    """No document is in a lesson before its own prediction was made."""
    reader = build_loop(batch_size=4)
    read(reader, numbered("abcd" * 10), groups=[1, 3, 2, 2, 5] * 9)
    predicted: set[str] = set()
    learned: set[str] = set()
    for what, ids in reader.classifier.learner.calls:
        if what == "predict":
            assert learned.isdisjoint(ids)
            predicted.update(ids)
        else:
            assert predicted.issuperset(ids)
            learned.update(ids)
    assert predicted == {str(number) for number in range(40)}


def test_every_document_is_scored_once() -> None:
    """A micro-batch that came in pieces is predicted anew as a whole, and not scored anew."""
    pieces, whole = build_loop(batch_size=4), build_loop(batch_size=4)
    steps = read(pieces, numbered("abcd" * 3), groups=[1, 2, 1, 4, 3, 1])
    predicted = [ids for what, ids in pieces.classifier.learner.calls if what == "predict"]
    batches = [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9", "10", "11"]]
    assert predicted == [
        *(["0"], ["1", "2"], ["3"], batches[0]),
        batches[1],  # it came whole
        *(["8", "9", "10"], ["11"], batches[2]),
    ]
    assert [p.document.id for step in steps for p in step.predictions] == [
        *itertools.chain(*batches)
    ]
    read(whole, numbered("abcd" * 3))
    assert pieces.evaluator.scores() == whole.evaluator.scores()


def test_learner_is_given_its_forecast() -> None:
    """With a lesson comes what the learner said of its new documents, those with a label."""
    reader = build_loop(batch_size=4, replay_ratio=0.0)
    read(reader, numbered(["a", "b", "a", "a", "b", None, "a", None]), groups=[3, 1, 2])
    first, second = [
        predictions.probabilities for predictions in reader.classifier.learner.given_predictions
    ]
    assert first.shape == (4, 0)
    assert second.tolist() == [[0.75, 0.25]] * 2


def test_predictions_come_from_what_was_learned_before() -> None:
    """A prediction knows the lessons before it, and nothing of its own micro-batch."""
    reader = build_loop(batch_size=2, replay_ratio=0.0)
    steps = read(reader, numbered("aaabab"))
    opinions = [p.predicted for step in steps for p in step.predictions]
    seen = [(opinion.label, opinion.probability, opinion.truth) for opinion in opinions]
    assert seen == [
        (None, 0.0, 0.0),
        (None, 0.0, 0.0),
        ("a", 1.0, 1.0),
        ("a", 1.0, 0.0),  # b was read, but is not learned yet
        ("a", 0.75, 0.75),
        ("a", 0.75, 0.25),
    ]


def test_unlabelled_documents_are_predicted_and_not_learned() -> None:
    """A document without a label gets a prediction, no score, no lesson, and is not replayed."""
    reader = build_loop(batch_size=2, replay_ratio=3.0)
    steps = read(reader, numbered(["a", None, None, None, "a", None, "b", "b"]))
    predicted = [p.document.id for step in steps for p in step.predictions]
    assert predicted == [str(number) for number in range(8)]
    learned = {id_ for lesson in reader.classifier.learner.learned for id_ in lesson}
    assert learned == {"0", "4", "6", "7"}
    assert [step.learned is None for step in steps] == [False, True, False, False]
    assert steps[-1].scores.whole.documents == 4


def test_replay_is_of_the_past() -> None:
    """Documents are sampled from the buffer before those just learned are added to it."""
    reader = build_loop(batch_size=4, replay_ratio=2.0)
    steps = read(reader, numbered("abcd" * 6))
    past: set[str] = set()
    for step, lesson in zip(steps, reader.classifier.learner.learned, strict=True):
        new, replayed = lesson[:4], lesson[4:]
        assert new == [p.document.id for p in step.predictions]
        assert set(replayed) <= past
        assert len(replayed) == len(set(replayed)) == min(8, len(past))
        assert step.learned == Learned(4, len(replayed), 1 / len(lesson), {})
        past.update(new)
        assert step.replay_buffer.documents == len(past)


def test_no_replay() -> None:
    """With a ratio of 0 nothing is ever learned twice."""
    reader = build_loop(batch_size=4, replay_ratio=0.0)
    read(reader, numbered("ab" * 10))
    assert list(itertools.chain(*reader.classifier.learner.learned)) == [str(n) for n in range(20)]


@pytest.mark.parametrize(("batch_size", "ratio"), [(1, 0.5), (1, 1.5), (4, 0.1)])
def test_replay_ratio_holds_over_the_stream(batch_size: int, ratio: float) -> None:
    """A ratio that gives no whole number of documents a step is kept over many steps."""
    reader = build_loop(batch_size=batch_size, replay_ratio=ratio)
    steps = read(reader, numbered("ab" * 100))
    replayed = sum(step.learned.replayed for step in steps)
    assert replayed == pytest.approx(200 * ratio, rel=0.1)


def test_replay_ratio_is_of_what_is_learned() -> None:
    """Documents without a label, which can't be learned, are no reason to replay others."""
    reader = build_loop(batch_size=4, replay_ratio=1.0, capacity=500)
    steps = read(reader, numbered(["a", None, None, None, "b", "a", None, None] * 25))
    learned = [step.learned for step in steps]
    assert [step.documents for step in learned] == [1, 2] * 25
    assert [step.replayed for step in learned[2:]] == [1, 2] * 24


def test_replay_depends_on_lag_if_its_ratio_does() -> None:
    """The replay ratio is told how many records wait, in all partitions together."""
    reader = replace(build_loop(batch_size=4), replay_ratio=LagAwareRatio(2.0, target=20))
    steps = read(reader, numbered("ab" * 50))
    replayed = [step.learned.replayed for step in steps]
    waiting = [step.batch.lag[0] for step in steps]
    late = [count for count, lag in zip(replayed, waiting, strict=True) if lag > 40]
    caught_up = [count for count, lag in zip(replayed, waiting, strict=True) if lag <= 20]
    assert max(late) <= 4
    assert set(caught_up) == {8}


def test_a_step_tells_all() -> None:
    """A step holds positions, lag, labels, scores, dead letters and the time of each stage."""
    letter = DeadLetter("documents", 0, 7, None, b"{", [], Reason.NOT_JSON, "value: not JSON")
    ticks = itertools.count()
    reader = build_loop(batch_size=3, replay_ratio=0.0)
    steps = read(
        reader,
        numbered(["a", "b", "a", "a", "a"]),
        groups=[2, 1, 2],
        dead_letters=[letter],
        clock=lambda: float(next(ticks)),
    )
    origins = [[(0, 0), (0, 1)], [(0, 2)], [(0, 3), (0, 4)]]
    assert [step.batch.origins for step in steps] == origins
    assert [step.batch.positions for step in steps] == [{0: 2}, {0: 3}, {0: 5}]
    assert [step.batch.lag for step in steps] == [{0: 3}, {0: 2}, {0: 0}]
    assert [list(step.labels) for step in steps] == [["a", "b"]] * 3
    assert [list(step.dead_letters) for step in steps] == [[letter], [], []]
    assert [step.replay_buffer.documents for step in steps] == [0, 3, 5]
    assert [step.learned and step.learned.documents for step in steps] == [None, 3, 2]
    assert [step.scores.whole.documents for step in steps] == [2, 3, 5]
    assert steps[-1].scores.whole.accuracy == 2 / 5
    # The clock is looked at once more before texts are read, and once after.
    seconds = {"fetch": 1, "tokenize": 1, "predict": 2}
    assert all(step.seconds.items() >= seconds.items() for step in steps)


def test_steps_do_not_change_after_they_were_given() -> None:
    """What a step says stays true of its moment while the loop goes on."""
    reader = build_loop(batch_size=1)
    steps = read(reader, numbered("abc"))
    assert [len(step.labels) for step in steps] == [1, 2, 3]
    assert [sorted(step.scores.whole.recall) for step in steps] == [["a"], ["a", "b"], [*"abc"]]


def test_the_last_documents_are_learned() -> None:
    """At the end of the stream a micro-batch that is not full is learned; before it is not."""
    reader = build_loop(batch_size=4, replay_ratio=0.0)
    read(reader, numbered("abcabc"))
    assert reader.classifier.learner.learned == [["0", "1", "2", "3"], ["4", "5"]]
    waiting = build_loop(batch_size=4, replay_ratio=0.0)
    read(waiting, numbered("abcabc"), ends=False)
    assert waiting.classifier.learner.learned == [["0", "1", "2", "3"]]
    assert len(waiting.micro_batch) == 2


def test_the_end_alone_flushes() -> None:
    """A last batch without documents still has the waiting ones learned."""
    reader = build_loop(batch_size=4, replay_ratio=0.0)
    read(reader, numbered("ab"), groups=[2], ends=False)
    assert reader.classifier.learner.learned == []
    steps = read(reader, [])
    assert reader.classifier.learner.learned == [["0", "1"]]
    assert [len(step.predictions) for step in steps] == [0]


def test_an_empty_stream() -> None:
    """A stream that ends before it began asks nothing of the learner."""
    reader = build_loop()
    steps = read(reader, [])
    assert [(step.learned, step.replay_buffer.documents, list(step.labels)) for step in steps] == [
        (None, 0, [])
    ]
    assert reader.classifier.learner.calls == []


def test_labels_beyond_the_limit_never_reach_the_learner() -> None:
    """A source that lets one label too many through is stopped, not learned from."""
    usual = build_loop(batch_size=2)
    reader = replace(usual, classifier=replace(usual.classifier, labels=LabelSet(limit=1)))
    documents = numbered("ab")

    class Careless:
        def read(self, at_most: int) -> Batch | None:
            origins = [Origin(0, 0), Origin(0, 1)]
            return Batch(documents[:at_most], origins, [None] * 2, [], {0: 2}, {0: 0}, {})

    with pytest.raises(LabelLimitError):
        next(reader.run(Careless()))
    assert reader.classifier.learner.learned == []


def test_predictions_of_a_label_not_learned_yet() -> None:
    """A truth that the learner has no output for has probability 0; nothing to predict is fine."""
    reader = build_loop()
    documents = numbered("abc")
    for document in documents:
        reader.classifier.labels.add(document.label)

    def predictions(some: Any) -> Any:
        return with_names(
            predict(reader.classifier.extractor, reader.classifier.learner, some),
            reader.classifier.labels,
        )

    assert predictions([]) == []
    (before,) = predictions(documents[:1])
    assert (before.predicted.label, before.predicted.probability, before.predicted.truth) == (
        None,
        0,
        0,
    )
    assert not before.correct
    arrived = predict(reader.classifier.extractor, reader.classifier.learner, documents[1:2])
    apply_update(
        reader.classifier.learner.propose(
            TrainingBatch(arrived.features, [1]), TrainingBatch([], []), arrived.predictions
        )
    )
    after = predictions(documents)
    assert [(p.predicted.label, p.predicted.truth, p.correct) for p in after] == [
        ("b", 0.0, False),
        ("b", 1.0, True),
        ("b", 0.0, False),
    ]


def test_opinions_of_experts(build: Any) -> None:
    """A blend's predictions hold what each expert says, and its steps how much each weighs."""
    assembled = build("blend")
    reader = build_loop(batch_size=8, extractor=assembled.extractor, learner=assembled.learner)
    steps = read(reader, documents(40), groups=[3])
    for prediction in steps[-1].predictions:
        assert set(prediction.experts) == {"latent", "analytic", "bayes"}
        assert all(0 <= opinion.truth <= 1 for opinion in prediction.experts.values())
    assert set(steps[-1].scores.experts) == {"latent", "analytic", "bayes"}
    assert all(scores.documents == 40 for scores in steps[-1].scores.experts.values())
    assert sum(steps[-1].expert_shares.values()) == pytest.approx(1)
    assert steps[-1].scores.whole.accuracy > 0.6


@pytest.mark.parametrize("learner", ["finetune", "latent", "blend"])
def test_grouping_does_not_matter_to_a_real_learner(build: Any, saved: Any, learner: str) -> None:
    """However documents arrive, what is learned of them is the same to the last bit."""
    states = []
    for groups in ([], [1, 2, 5, 3, 1, 4], [7, 1] * 3):
        assembled = build(learner)
        reader = build_loop(batch_size=8, extractor=assembled.extractor, learner=assembled.learner)
        read(reader, documents(32), groups=groups)
        states.append(saved(reader.classifier.learner))
    assert states[0] == states[1] == states[2]
