"""What the loop requires of every learner. A new learner adds one line to `LEARNERS`."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Build, Restore, Saved, apply_update, documents

from consumer.features.extractor import extract
from consumer.learners.factory import BuiltModel
from consumer.learners.protocol import TrainingBatch
from newsreel.events.document import Document

pytestmark = pytest.mark.slow  # learns with transformers

NO_REPLAY = TrainingBatch([], [])

LEARNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "finetune": ("finetune", {}),
    "finetune-adapters": ("finetune", {"adapters": 2}),
    "latent": ("latent", {}),
    "latent-shortened": ("latent", {"latent_tokens": 6, "learn_tokens": 3}),
    "latent-adapters": ("latent", {"adapters": 2}),
    "latent-no-layers": ("latent", {"layers": 0}),
    "analytic": ("analytic", {}),
    "bayes": ("bayes", {}),
    "ngram": ("ngram", {}),
    "blend": ("blend", {"latent_tokens": 6, "learn_tokens": 8}),
}

Fresh = Callable[[], BuiltModel]


@pytest.fixture(params=LEARNERS)
def new_model(request: pytest.FixtureRequest, build: Build) -> Fresh:
    """Build a new, untrained model of each kind."""
    learner, options = LEARNERS[request.param]
    return lambda: build(learner, **options)


def texts(*texts: str) -> list[Document]:
    return [Document(str(number), text) for number, text in enumerate(texts)]


def target(document: Document) -> int:
    return ["sport", "space"].index(str(document.label))


def teach(
    model: BuiltModel,
    documents: Sequence[Document],
    targets: Sequence[int] | None = None,
    replayed: TrainingBatch = NO_REPLAY,
) -> float:
    features = extract(model.extractor, documents)
    batch = TrainingBatch(features, [target(d) for d in documents] if targets is None else targets)
    return apply_update(
        model.learner.propose(batch, replayed, model.learner.predict_many(features))
    )


def predict(model: BuiltModel, documents: Sequence[Document]) -> Any:
    features = extract(model.extractor, documents)
    return model.learner.predict_many(features).probabilities


def replay_of(model: BuiltModel, documents: Sequence[Document]) -> TrainingBatch:
    """Return a training batch with the features that the replay buffer holds of documents."""
    features = extract(model.extractor, documents)
    return TrainingBatch(
        [model.learner.replay_features(row) for row in features], list(map(target, documents))
    )


def check(probabilities: Any, rows: int, labels: int) -> None:
    assert probabilities.shape == (rows, labels)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-4)


def batches(count: int, start: int = 0, size: int = 8) -> Iterator[list[Document]]:
    return (documents(size, start + size * number) for number in range(count))


def test_learns(new_model: Fresh) -> None:
    """A few batches are enough to classify unseen texts of two topics."""
    model = new_model()
    losses = [teach(model, batch) for batch in batches(8)]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0]
    unseen = documents(40, start=1000)
    hits = predict(model, unseen).argmax(1) == [target(document) for document in unseen]
    assert hits.mean() >= 0.9


def test_untrained(new_model: Fresh) -> None:
    """An untrained learner predicts a row for each document, and no labels."""
    assert predict(new_model(), documents(3)).shape == (3, 0)


def test_grows(new_model: Fresh) -> None:
    """New labels add outputs, even with gaps between their numbers."""
    model = new_model()
    unseen = documents(4, start=100)
    assert math.isfinite(teach(model, documents(4), [0, 0, 0, 0]))
    check(predict(model, unseen), 4, 1)
    assert math.isfinite(teach(model, documents(4), [0, 1, 0, 1]))
    check(predict(model, unseen), 4, 2)
    assert math.isfinite(teach(model, documents(4), [5, 1, 5, 1]))
    check(predict(model, unseen), 4, 6)
    assert math.isfinite(teach(model, documents(4), [2, 2, 40, 0]))
    check(predict(model, unseen), 4, 41)
    assert math.isfinite(teach(model, documents(4)))
    check(predict(model, unseen), 4, 41)


def test_first_label_has_a_high_number(new_model: Fresh) -> None:
    """The first label learned need not have the number 0."""
    model = new_model()
    teach(model, documents(2), [3, 3])
    check(predict(model, documents(5)), 5, 4)


def test_predicting_changes_nothing(new_model: Fresh, saved: Saved) -> None:
    """Predictions change no state, and are repeatable."""
    model = new_model()
    unseen = documents(6, start=100)
    for batch in [[], *batches(2)]:
        if batch:
            teach(model, batch)
        before = saved(model.learner)
        first = predict(model, unseen)
        np.testing.assert_array_equal(predict(model, unseen), first)
        assert saved(model.learner) == before


def test_update_that_is_not_applied(new_model: Fresh, saved: Saved) -> None:
    """An update that is not applied changes neither state, predictions nor later training."""
    asked, untouched = new_model(), new_model()
    unseen = documents(6, start=100)
    for batch in [[], *batches(2)]:
        for model in (asked, untouched):
            if batch:
                teach(model, batch, replayed=replay_of(model, documents(3, 50)))
        before, predicted = saved(asked.learner), predict(asked, unseen)
        features = extract(asked.extractor, documents(4, start=200))
        predictions = asked.learner.predict_many(features)
        old = TrainingBatch(features[2:], [0, 4])
        asked.learner.propose(TrainingBatch(features[:2], [7, 1]), old, predictions.of([0, 1]))
        assert saved(asked.learner) == before
        np.testing.assert_array_equal(predict(asked, unseen), predicted)
    for model in (asked, untouched):
        teach(model, documents(8, start=500), [0, 1, 2] * 2 + [0, 1])
    assert saved(asked.learner) == saved(untouched.learner)


def test_replay_features(new_model: Fresh) -> None:
    """The features for replay are rows of the features, and taking them changes no prediction."""
    model = new_model()
    teach(model, documents(4))
    features = extract(model.extractor, documents(4))
    before = model.learner.predict_many(features).probabilities
    for row in features:
        for name, tensor in model.learner.replay_features(row).items():
            whole = row[name].reshape(len(row[name]), -1)
            for part in tensor.reshape(len(tensor), -1):
                assert (whole == part).all(dim=1).any()
    np.testing.assert_array_equal(model.learner.predict_many(features).probabilities, before)


def test_features_stay_unchanged(new_model: Fresh) -> None:
    """Learning does not change the features, which will be replayed."""
    model = new_model()
    features = extract(model.extractor, documents(4))
    before = [{name: tensor.clone() for name, tensor in row.items()} for row in features]
    batch = TrainingBatch(features, [0, 1, 0, 1])
    predictions = model.learner.predict_many(features)
    apply_update(model.learner.propose(batch, NO_REPLAY, predictions))
    for row, was in zip(features, before, strict=True):
        assert all(torch.equal(row[name], was[name]) for name in was)


@pytest.mark.parametrize("learned", [0, 1, 3])
def test_restored(new_model: Fresh, saved: Saved, restore: Restore, learned: int) -> None:
    """A restored learner continues bit for bit, also with a label that appears afterwards."""
    uninterrupted, restored = new_model(), new_model()
    for batch in batches(learned):
        teach(uninterrupted, batch, replayed=replay_of(uninterrupted, documents(3, 50)))
    restore(uninterrupted.learner, restored.learner)
    assert saved(restored.learner) == saved(uninterrupted.learner)
    for batch in batches(3, start=500):
        losses = [
            teach(one, batch, [0, 1, 2, 0, 1, 2, 0, 1], replay_of(one, documents(3, 50)))
            for one in (uninterrupted, restored)
        ]
        assert losses[0] == losses[1]
    assert saved(restored.learner) == saved(uninterrupted.learner)
    unseen = documents(10, start=1000)
    np.testing.assert_array_equal(predict(restored, unseen), predict(uninterrupted, unseen))


def test_saved_state_is_a_copy(new_model: Fresh, saved: Saved, restore: Restore) -> None:
    """Training a restored learner does not change the learner that was saved."""
    old, new = new_model(), new_model()
    teach(old, documents(8))
    before = saved(old.learner)
    restore(old.learner, new.learner)
    teach(new, documents(8, start=8))
    assert saved(old.learner) == before
    assert saved(new.learner) != before


def test_deterministic(new_model: Fresh, saved: Saved) -> None:
    """Two learners with the same training are equal, bit for bit."""
    one, other = new_model(), new_model()
    for batch in batches(3):
        for model in (one, other):
            teach(model, batch, replayed=replay_of(model, documents(5, 50)))
    assert saved(one.learner) == saved(other.learner)


def test_learns_with_replay(new_model: Fresh) -> None:
    """Training with the features that the replay buffer holds works like any training."""
    model = new_model()
    past = documents(8)
    teach(model, past)
    for batch in batches(6, start=8):
        assert math.isfinite(teach(model, batch, replayed=replay_of(model, past)))
    unseen = documents(20, start=1000)
    hits = predict(model, unseen).argmax(1) == [target(document) for document in unseen]
    assert hits.mean() >= 0.9


@pytest.mark.parametrize("text", ["!!!", "word", "", "\u200b", "x" * 5000, "a " * 5000])
def test_odd_texts(new_model: Fresh, text: str) -> None:
    """Texts without words, with one word or with thousands are predicted and learned."""
    model = new_model()
    for others in ([], documents(3)):
        odd = [*texts(text), *others]
        assert math.isfinite(teach(model, odd, [1, 0, 1, 0][: len(odd)]))
        check(predict(model, odd), len(odd), 2)


def test_batch_does_not_matter(new_model: Fresh) -> None:
    """A document has the same prediction alone and in a batch, up to rounding."""
    model = new_model()
    for batch in batches(3):
        teach(model, batch)
    some = [*documents(5, start=100), *texts("short", "a much longer text than all of the others")]
    alone = np.concatenate([predict(model, [document]) for document in some])
    np.testing.assert_allclose(predict(model, some), alone, atol=5e-3)


def test_predictions_of_rows(new_model: Fresh) -> None:
    """The predictions of some documents can be selected by their rows."""
    model = new_model()
    teach(model, documents(8))
    features = extract(model.extractor, documents(6, start=100))
    predictions = model.learner.predict_many(features)
    some = predictions.of([4, 1])
    np.testing.assert_array_equal(some.probabilities, predictions.probabilities[[4, 1]])
    assert set(some.experts) == set(predictions.experts)
    for name, probabilities in predictions.experts.items():
        np.testing.assert_array_equal(some.experts[name], probabilities[[4, 1]])
    assert some.shares == predictions.shares


def test_forgets(new_model: Fresh) -> None:
    """A forgotten label is learned again as fast as a new one, even with a changed meaning.

    The learner gets as many batches as at first, after three times as many that contradict them.
    """
    model = new_model()
    for batch in batches(24):
        teach(model, batch)
    model.learner.forget([0, 1])
    for batch in batches(8, start=400):
        teach(model, batch, [1 - target(document) for document in batch])
    unseen = documents(40, start=1000)
    hits = predict(model, unseen).argmax(1) == [1 - target(document) for document in unseen]
    assert hits.mean() >= 0.9


def test_forgets_nothing_else(new_model: Fresh) -> None:
    """Other labels are still known after some are forgotten; unknown ones are ignored."""
    model = new_model()
    model.learner.forget([0])
    for number, batch in enumerate(batches(24)):
        teach(model, batch, [target(document) + 2 * (number % 2) for document in batch])
    unseen = documents(40, start=1000)

    def known() -> float:
        probabilities = predict(model, unseen)
        check(probabilities, 40, 4)
        return float((probabilities[:, :2].argmax(1) == list(map(target, unseen))).mean())

    before = known()
    model.learner.forget([2, 3, 77])
    assert known() >= max(0.75, before - 0.1)


def test_restored_after_forgetting(new_model: Fresh) -> None:
    """A learner that has forgotten a label is saved and restored like any other."""
    model, restored = new_model(), new_model()
    for batch in batches(6):
        teach(model, batch)
    model.learner.forget([1])
    restored.learner.load_state_dict(copy.deepcopy(model.learner.state_dict()))
    for one in (model, restored):
        for batch in batches(2, start=200):
            teach(one, batch)
    unseen = documents(8, start=1000)
    np.testing.assert_array_equal(predict(model, unseen), predict(restored, unseen))
