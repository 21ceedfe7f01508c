"""What the loop may expect of every learner."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from helpers import accepted, documents

from consumer.features.extractor import extract
from consumer.learners.factory import BuiltModel
from consumer.learners.protocol import TrainingBatch
from newsreel.events.document import Document

NOTHING = TrainingBatch([], [])

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "finetune": ("finetune", {}),
    "finetune-adapters": ("finetune", {"adapters": 2}),
    "latent": ("latent", {}),
    "latent-condensed": ("latent", {"latent_tokens": 6, "learn_tokens": 3}),
    "latent-adapters": ("latent", {"adapters": 2}),
    "latent-no-layers": ("latent", {"layers": 0}),
    "analytic": ("analytic", {}),
    "bayes": ("bayes", {}),
    "ngram": ("ngram", {}),
    "blend": ("blend", {"latent_tokens": 6, "learn_tokens": 8}),
}

Fresh = Callable[[], BuiltModel]


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, build: Any) -> Fresh:
    """Build learners of one kind that know nothing yet."""
    learner, options = KINDS[request.param]
    return lambda: build(learner, **options)


def texts(*texts: str) -> list[Document]:
    return [Document(str(number), text) for number, text in enumerate(texts)]


def target(document: Document) -> int:
    return ["sport", "space"].index(str(document.label))


def teach(
    assembled: BuiltModel,
    documents: Sequence[Document],
    targets: Sequence[int] | None = None,
    replayed: TrainingBatch = NOTHING,
) -> float:
    features = extract(assembled.extractor, documents)
    lesson = TrainingBatch(features, [target(d) for d in documents] if targets is None else targets)
    return accepted(
        assembled.learner.propose(lesson, replayed, assembled.learner.predict_many(features))
    )


def predict(assembled: BuiltModel, documents: Sequence[Document]) -> Any:
    features = extract(assembled.extractor, documents)
    return assembled.learner.predict_many(features).probabilities


def kept(assembled: BuiltModel, documents: Sequence[Document]) -> TrainingBatch:
    """Make a lesson of nothing but what the replay buffer holds of documents."""
    features = extract(assembled.extractor, documents)
    return TrainingBatch(
        [assembled.learner.replay_features(row) for row in features], list(map(target, documents))
    )


def check(probabilities: Any, rows: int, labels: int) -> None:
    assert probabilities.shape == (rows, labels)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-4)


def lessons(count: int, start: int = 0, size: int = 8) -> Iterator[list[Document]]:
    return (documents(size, start + size * number) for number in range(count))


def test_learns(fresh: Fresh) -> None:
    """A few lessons are enough to tell two topics apart in texts not seen before."""
    assembled = fresh()
    losses = [teach(assembled, lesson) for lesson in lessons(8)]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]
    unseen = documents(40, start=1000)
    hits = predict(assembled, unseen).argmax(1) == [target(document) for document in unseen]
    assert hits.mean() >= 0.9


def test_knows_no_label_to_begin_with(fresh: Fresh) -> None:
    """Before any lesson there is a row for each document, and no column."""
    assert predict(fresh(), documents(3)).shape == (3, 0)


def test_grows(fresh: Fresh) -> None:
    """Labels never seen, with gaps between their numbers, make room for themselves."""
    assembled = fresh()
    unseen = documents(4, start=100)
    assert math.isfinite(teach(assembled, documents(4), [0, 0, 0, 0]))
    check(predict(assembled, unseen), 4, 1)
    assert math.isfinite(teach(assembled, documents(4), [0, 1, 0, 1]))
    check(predict(assembled, unseen), 4, 2)
    assert math.isfinite(teach(assembled, documents(4), [5, 1, 5, 1]))
    check(predict(assembled, unseen), 4, 6)
    assert math.isfinite(teach(assembled, documents(4), [2, 2, 40, 0]))
    check(predict(assembled, unseen), 4, 41)
    assert math.isfinite(teach(assembled, documents(4)))
    check(predict(assembled, unseen), 4, 41)


def test_first_label_has_a_high_number(fresh: Fresh) -> None:
    """The first label learned need not be the first of all."""
    assembled = fresh()
    teach(assembled, documents(2), [3, 3])
    check(predict(assembled, documents(5)), 5, 4)


def test_predicting_changes_nothing(fresh: Fresh, saved: Any) -> None:
    """Predictions leave no trace, and the same question gets the same answer."""
    assembled = fresh()
    unseen = documents(6, start=100)
    for lesson in [[], *lessons(2)]:
        if lesson:
            teach(assembled, lesson)
        before = saved(assembled.learner)
        first = predict(assembled, unseen)
        np.testing.assert_array_equal(predict(assembled, unseen), first)
        assert saved(assembled.learner) == before


def test_a_proposal_that_is_not_accepted_changes_nothing(fresh: Fresh, saved: Any) -> None:
    """Not of the state, random generators included, not of a prediction; and no later lesson."""
    asked, untouched = fresh(), fresh()
    unseen = documents(6, start=100)
    for lesson in [[], *lessons(2)]:
        for assembled in (asked, untouched):
            if lesson:
                teach(assembled, lesson, replayed=kept(assembled, documents(3, 50)))
        before, said = saved(asked.learner), predict(asked, unseen)
        features = extract(asked.extractor, documents(4, start=200))
        predictions = asked.learner.predict_many(features)
        old = TrainingBatch(features[2:], [0, 4])
        asked.learner.propose(TrainingBatch(features[:2], [7, 1]), old, predictions.of([0, 1]))
        assert saved(asked.learner) == before
        np.testing.assert_array_equal(predict(asked, unseen), said)
    for assembled in (asked, untouched):
        teach(assembled, documents(8, start=500), [0, 1, 2] * 2 + [0, 1])
    assert saved(asked.learner) == saved(untouched.learner)


def test_keeping_changes_no_prediction(fresh: Fresh) -> None:
    """What is handed to the replay buffer is a part of the features: rows as they are."""
    assembled = fresh()
    teach(assembled, documents(4))
    features = extract(assembled.extractor, documents(4))
    before = assembled.learner.predict_many(features).probabilities
    for row in features:
        for name, tensor in assembled.learner.replay_features(row).items():
            whole = row[name].reshape(len(row[name]), -1)
            for part in tensor.reshape(len(tensor), -1):
                assert (whole == part).all(dim=1).any()
    np.testing.assert_array_equal(assembled.learner.predict_many(features).probabilities, before)


def test_features_stay_as_they_are(fresh: Fresh) -> None:
    """A lesson does not change the features that it is of: they will be replayed."""
    assembled = fresh()
    features = extract(assembled.extractor, documents(4))
    before = [{name: tensor.clone() for name, tensor in row.items()} for row in features]
    lesson = TrainingBatch(features, [0, 1, 0, 1])
    predictions = assembled.learner.predict_many(features)
    accepted(assembled.learner.propose(lesson, NOTHING, predictions))
    for row, was in zip(features, before, strict=True):
        assert all(torch.equal(row[name], was[name]) for name in was)


@pytest.mark.parametrize("learned", [0, 1, 3])
def test_restored_goes_on_as_if_it_had_never_stopped(
    fresh: Fresh, saved: Any, restore: Any, learned: int
) -> None:
    """Through a checkpoint, with a label that appears only afterwards, bit for bit."""
    uninterrupted, restored = fresh(), fresh()
    for lesson in lessons(learned):
        teach(uninterrupted, lesson, replayed=kept(uninterrupted, documents(3, 50)))
    restore(uninterrupted.learner, restored.learner)
    assert saved(restored.learner) == saved(uninterrupted.learner)
    for lesson in lessons(3, start=500):
        losses = [
            teach(one, lesson, [0, 1, 2, 0, 1, 2, 0, 1], kept(one, documents(3, 50)))
            for one in (uninterrupted, restored)
        ]
        assert losses[0] == losses[1]
    assert saved(restored.learner) == saved(uninterrupted.learner)
    unseen = documents(10, start=1000)
    np.testing.assert_array_equal(predict(restored, unseen), predict(uninterrupted, unseen))


def test_saved_state_is_of_its_moment(fresh: Fresh, saved: Any, restore: Any) -> None:
    """What is learned after a restart does not reach the learner that was saved."""
    old, new = fresh(), fresh()
    teach(old, documents(8))
    before = saved(old.learner)
    restore(old.learner, new.learner)
    teach(new, documents(8, start=8))
    assert saved(old.learner) == before
    assert saved(new.learner) != before


def test_same_lessons_same_learner(fresh: Fresh, saved: Any) -> None:
    """Two learners that were taught the same are the same, to the last bit."""
    one, other = fresh(), fresh()
    for lesson in lessons(3):
        for assembled in (one, other):
            teach(assembled, lesson, replayed=kept(assembled, documents(5, 50)))
    assert saved(one.learner) == saved(other.learner)


def test_replay_needs_no_more_than_was_kept(fresh: Fresh) -> None:
    """Lessons with replay are learned, too, with the features that the buffer holds."""
    assembled = fresh()
    past = documents(8)
    teach(assembled, past)
    for lesson in lessons(6, start=8):
        assert math.isfinite(teach(assembled, lesson, replayed=kept(assembled, past)))
    unseen = documents(20, start=1000)
    hits = predict(assembled, unseen).argmax(1) == [target(document) for document in unseen]
    assert hits.mean() >= 0.9


@pytest.mark.parametrize("text", ["!!!", "word", "", "\u200b", "x" * 5000, "a " * 5000])
def test_odd_texts(fresh: Fresh, text: str) -> None:
    """Texts without words, or of one, or of thousands, are predicted and learned like any."""
    assembled = fresh()
    for company in ([], documents(3)):
        odd = [*texts(text), *company]
        assert math.isfinite(teach(assembled, odd, [1, 0, 1, 0][: len(odd)]))
        check(predict(assembled, odd), len(odd), 2)


def test_company_does_not_matter(fresh: Fresh) -> None:
    """A document is predicted the same alone and among others, but for rounding."""
    assembled = fresh()
    for lesson in lessons(3):
        teach(assembled, lesson)
    some = [*documents(5, start=100), *texts("short", "a much longer text than all of the others")]
    alone = np.concatenate([predict(assembled, [document]) for document in some])
    np.testing.assert_allclose(predict(assembled, some), alone, atol=5e-3)


def test_forecast_of_some(fresh: Fresh) -> None:
    """A predictions's rows are those of the documents, and those of some of them can be taken."""
    assembled = fresh()
    teach(assembled, documents(8))
    features = extract(assembled.extractor, documents(6, start=100))
    predictions = assembled.learner.predict_many(features)
    some = predictions.of([4, 1])
    np.testing.assert_array_equal(some.probabilities, predictions.probabilities[[4, 1]])
    assert set(some.experts) == set(predictions.experts)
    for name, said in predictions.experts.items():
        np.testing.assert_array_equal(some.experts[name], said[[4, 1]])
    assert some.shares == predictions.shares


def test_forgets(fresh: Fresh) -> None:
    """What labels mean may change: once forgotten, they are learned as fast as for the first time.

    As many lessons as at first, after three times as many that say the opposite.
    """
    assembled = fresh()
    for lesson in lessons(24):
        teach(assembled, lesson)
    assembled.learner.forget([0, 1])
    for lesson in lessons(8, start=400):
        teach(assembled, lesson, [1 - target(document) for document in lesson])
    unseen = documents(40, start=1000)
    hits = predict(assembled, unseen).argmax(1) == [1 - target(document) for document in unseen]
    assert hits.mean() >= 0.9


def test_forgets_nothing_else(fresh: Fresh) -> None:
    """Labels that are not forgotten are still known, and those not known can't be forgotten."""
    assembled = fresh()
    assembled.learner.forget([0])
    for number, lesson in enumerate(lessons(24)):
        teach(assembled, lesson, [target(document) + 2 * (number % 2) for document in lesson])
    unseen = documents(40, start=1000)

    def known() -> float:
        said = predict(assembled, unseen)
        check(said, 40, 4)
        return float((said[:, :2].argmax(1) == list(map(target, unseen))).mean())

    before = known()
    assembled.learner.forget([2, 3, 77])
    assert known() >= max(0.75, before - 0.1)


def test_forgetting_is_kept(fresh: Fresh) -> None:
    """A learner that has forgotten is saved and restored like any other."""
    assembled, restored = fresh(), fresh()
    for lesson in lessons(6):
        teach(assembled, lesson)
    assembled.learner.forget([1])
    restored.learner.load_state_dict(copy.deepcopy(assembled.learner.state_dict()))
    for one in (assembled, restored):
        for lesson in lessons(2, start=200):
            teach(one, lesson)
    unseen = documents(8, start=1000)
    np.testing.assert_array_equal(predict(assembled, unseen), predict(restored, unseen))
