"""The loop predicts, scores and learns each document once, in this order."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from helpers import Build, Saved, apply_update, documents
from loops import build_loop, numbered, read

from consumer.kafka.batch import Batch, DeadLetter, Origin
from consumer.labels import LabelLimitError, LabelSet
from consumer.learners.prediction import Prediction, predict, with_names
from consumer.learners.protocol import TrainingBatch
from consumer.loop.step import Learned
from consumer.replay.ratio import LagAwareRatio
from newsreel.events.document import Document
from newsreel.events.errors import Reason


def test_every_document_is_predicted_before_it_is_learned() -> None:
    """Each document is predicted before it is learned."""
    loop = build_loop(batch_size=4)
    read(loop, numbered("abcd" * 10), groups=[1, 3, 2, 2, 5] * 9)
    predicted: set[str] = set()
    learned: set[str] = set()
    for call, ids in loop.classifier.learner.calls:
        if call == "predict":
            assert learned.isdisjoint(ids)
            predicted.update(ids)
        else:
            assert predicted.issuperset(ids)
            learned.update(ids)
    assert predicted == {str(number) for number in range(40)}


def test_every_document_is_scored_once() -> None:
    """A micro-batch that arrived in parts is predicted again as a whole, but not scored again."""
    parts, whole = build_loop(batch_size=4), build_loop(batch_size=4)
    steps = read(parts, numbered("abcd" * 3), groups=[1, 2, 1, 4, 3, 1])
    predicted = [ids for call, ids in parts.classifier.learner.calls if call == "predict"]
    batches = [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9", "10", "11"]]
    assert predicted == [
        *(["0"], ["1", "2"], ["3"], batches[0]),
        batches[1],  # arrived as a whole
        *(["8", "9", "10"], ["11"], batches[2]),
    ]
    assert [p.document.id for step in steps for p in step.predictions] == [
        *itertools.chain(*batches)
    ]
    read(whole, numbered("abcd" * 3))
    assert parts.evaluator.scores() == whole.evaluator.scores()


def test_learner_gets_its_predictions() -> None:
    """A training batch comes with the learner's predictions of its new labelled documents."""
    loop = build_loop(batch_size=4, replay_ratio=0.0)
    read(loop, numbered(["a", "b", "a", "a", "b", None, "a", None]), groups=[3, 1, 2])
    first, second = [
        predictions.probabilities for predictions in loop.classifier.learner.given_predictions
    ]
    assert first.shape == (4, 0)
    assert second.tolist() == [[0.75, 0.25]] * 2


def test_predictions_depend_on_earlier_steps() -> None:
    """A prediction depends on earlier learning steps, and not on its own micro-batch."""
    loop = build_loop(batch_size=2, replay_ratio=0.0)
    steps = read(loop, numbered("aaabab"))
    predicted = [p.predicted for step in steps for p in step.predictions]
    assert [(p.label, p.probability, p.truth) for p in predicted] == [
        (None, 0.0, 0.0),
        (None, 0.0, 0.0),
        ("a", 1.0, 1.0),
        ("a", 1.0, 0.0),  # b was read, but not yet learned
        ("a", 0.75, 0.75),
        ("a", 0.75, 0.25),
    ]


def test_unlabelled_documents_are_predicted_and_not_learned() -> None:
    """A document without a label is predicted, but not scored, learned or replayed."""
    loop = build_loop(batch_size=2, replay_ratio=3.0)
    steps = read(loop, numbered(["a", None, None, None, "a", None, "b", "b"]))
    predicted = [p.document.id for step in steps for p in step.predictions]
    assert predicted == [str(number) for number in range(8)]
    learned = {id_ for batch in loop.classifier.learner.learned for id_ in batch}
    assert learned == {"0", "4", "6", "7"}
    assert [step.learned is None for step in steps] == [False, True, False, False]
    assert steps[-1].scores.whole.documents == 4


def test_replayed_documents_are_from_earlier_steps() -> None:
    """Documents are drawn from the buffer before the new documents are added."""
    loop = build_loop(batch_size=4, replay_ratio=2.0)
    steps = read(loop, numbered("abcd" * 6))
    past: set[str] = set()
    for step, batch in zip(steps, loop.classifier.learner.learned, strict=True):
        new, replayed = batch[:4], batch[4:]
        assert new == [p.document.id for p in step.predictions]
        assert set(replayed) <= past
        assert len(replayed) == len(set(replayed)) == min(8, len(past))
        assert step.learned == Learned(4, len(replayed), 1 / len(batch), {})
        past.update(new)
        assert step.replay_buffer.documents == len(past)


def test_no_replay() -> None:
    """With a replay ratio of 0 each document is learned once."""
    loop = build_loop(batch_size=4, replay_ratio=0.0)
    read(loop, numbered("ab" * 10))
    assert list(itertools.chain(*loop.classifier.learner.learned)) == [str(n) for n in range(20)]


@pytest.mark.parametrize(("batch_size", "ratio"), [(1, 0.5), (1, 1.5), (4, 0.1)])
def test_fractional_replay_ratio(batch_size: int, ratio: float) -> None:
    """A ratio without a whole number of documents per step holds on average."""
    loop = build_loop(batch_size=batch_size, replay_ratio=ratio)
    steps = read(loop, numbered("ab" * 100))
    replayed = sum(step.learned.replayed for step in steps)
    assert replayed == pytest.approx(200 * ratio, rel=0.1)


def test_unlabelled_documents_cause_no_replay() -> None:
    """The replay ratio refers to new documents with a label."""
    loop = build_loop(batch_size=4, replay_ratio=1.0, capacity=500)
    steps = read(loop, numbered(["a", None, None, None, "b", "a", None, None] * 25))
    learned = [step.learned for step in steps]
    assert [step.documents for step in learned] == [1, 2] * 25
    assert [step.replayed for step in learned[2:]] == [1, 2] * 24


def test_replay_depends_on_the_lag() -> None:
    """A lag-aware ratio gets the lag of all partitions together."""
    loop = replace(build_loop(batch_size=4), replay_ratio=LagAwareRatio(2.0, target=20))
    steps = read(loop, numbered("ab" * 50))
    replayed = [step.learned.replayed for step in steps]
    waiting = [step.batch.lag[0] for step in steps]
    lagging = [count for count, lag in zip(replayed, waiting, strict=True) if lag > 40]
    caught_up = [count for count, lag in zip(replayed, waiting, strict=True) if lag <= 20]
    assert max(lagging) <= 4
    assert set(caught_up) == {8}


def test_fields_of_a_step() -> None:
    """A step holds positions, lag, labels, scores, dead letters and the time of each stage."""
    letter = DeadLetter("documents", 0, 7, None, b"{", [], Reason.NOT_JSON, "value: not JSON")
    ticks = itertools.count()
    loop = build_loop(batch_size=3, replay_ratio=0.0)
    steps = read(
        loop,
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
    # The stage "predict" reads the clock twice: before and after encoding.
    seconds = {"fetch": 1, "tokenize": 1, "predict": 2}
    assert all(step.seconds.items() >= seconds.items() for step in steps)


def test_steps_do_not_change_later() -> None:
    """The labels and scores of a step stay the same while the loop continues."""
    loop = build_loop(batch_size=1)
    steps = read(loop, numbered("abc"))
    assert [len(step.labels) for step in steps] == [1, 2, 3]
    assert [sorted(step.scores.whole.recall) for step in steps] == [["a"], ["a", "b"], [*"abc"]]


def test_the_last_documents_are_learned() -> None:
    """A micro-batch that is not full is learned at the end of the stream only."""
    loop = build_loop(batch_size=4, replay_ratio=0.0)
    read(loop, numbered("abcabc"))
    assert loop.classifier.learner.learned == [["0", "1", "2", "3"], ["4", "5"]]
    waiting = build_loop(batch_size=4, replay_ratio=0.0)
    read(waiting, numbered("abcabc"), ends=False)
    assert waiting.classifier.learner.learned == [["0", "1", "2", "3"]]
    assert len(waiting.micro_batch) == 2


def test_empty_last_batch() -> None:
    """An empty last batch makes the loop learn the documents that wait."""
    loop = build_loop(batch_size=4, replay_ratio=0.0)
    read(loop, numbered("ab"), groups=[2], ends=False)
    assert loop.classifier.learner.learned == []
    steps = read(loop, [])
    assert loop.classifier.learner.learned == [["0", "1"]]
    assert [len(step.predictions) for step in steps] == [0]


def test_empty_stream() -> None:
    """A stream without documents gives one step and no call of the learner."""
    loop = build_loop()
    steps = read(loop, [])
    assert [(step.learned, step.replay_buffer.documents, list(step.labels)) for step in steps] == [
        (None, 0, [])
    ]
    assert loop.classifier.learner.calls == []


def test_label_beyond_the_limit() -> None:
    """A source that does not apply the label limit is an error, and nothing is learned."""
    usual = build_loop(batch_size=2)
    loop = replace(usual, classifier=replace(usual.classifier, labels=LabelSet(limit=1)))
    documents = numbered("ab")

    class UnlimitedSource:
        def read(self, at_most: int) -> Batch | None:
            origins = [Origin(0, 0), Origin(0, 1)]
            return Batch(documents[:at_most], origins, [None] * 2, [], {0: 2}, {0: 0}, {})

    with pytest.raises(LabelLimitError):
        next(loop.run(UnlimitedSource()))
    assert loop.classifier.learner.learned == []


def test_label_not_learned_yet() -> None:
    """A label without an output of the learner has probability 0; no document, no prediction."""
    loop = build_loop()
    documents = numbered("abc")
    for document in documents:
        loop.classifier.labels.add(document.label)

    def predictions(documents: Sequence[Document]) -> list[Prediction]:
        return with_names(
            predict(loop.classifier.extractor, loop.classifier.learner, documents),
            loop.classifier.labels,
        )

    assert predictions([]) == []
    (before,) = predictions(documents[:1])
    assert (before.predicted.label, before.predicted.probability, before.predicted.truth) == (
        None,
        0,
        0,
    )
    assert not before.correct
    predicted = predict(loop.classifier.extractor, loop.classifier.learner, documents[1:2])
    apply_update(
        loop.classifier.learner.propose(
            TrainingBatch(predicted.features, [1]), TrainingBatch([], []), predicted.predictions
        )
    )
    after = predictions(documents)
    assert [(p.predicted.label, p.predicted.truth, p.correct) for p in after] == [
        ("b", 0.0, False),
        ("b", 1.0, True),
        ("b", 0.0, False),
    ]


def test_predictions_of_experts(build: Build) -> None:
    """A blend's predictions have the probabilities of each expert; its steps have their shares."""
    model = build("blend")
    loop = build_loop(batch_size=8, extractor=model.extractor, learner=model.learner)
    steps = read(loop, documents(40), groups=[3])
    for prediction in steps[-1].predictions:
        assert set(prediction.experts) == {"latent", "analytic", "bayes"}
        assert all(0 <= probability.truth <= 1 for probability in prediction.experts.values())
    assert set(steps[-1].scores.experts) == {"latent", "analytic", "bayes"}
    assert all(scores.documents == 40 for scores in steps[-1].scores.experts.values())
    assert sum(steps[-1].expert_shares.values()) == pytest.approx(1)
    assert steps[-1].scores.whole.accuracy > 0.6


@pytest.mark.parametrize("learner", ["finetune", "latent", "blend"])
def test_grouping_does_not_matter_to_real_learners(
    build: Build, saved: Saved, learner: str
) -> None:
    """The state of a learner is the same to the last bit, however documents arrive."""
    states = []
    for groups in ([], [1, 2, 5, 3, 1, 4], [7, 1] * 3):
        model = build(learner)
        loop = build_loop(batch_size=8, extractor=model.extractor, learner=model.learner)
        read(loop, documents(32), groups=groups)
        states.append(saved(loop.classifier.learner))
    assert states[0] == states[1] == states[2]
