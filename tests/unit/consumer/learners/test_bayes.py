"""Complement naive Bayes sums over documents, whatever their order."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from helpers import apply_update, documents
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.features.extractor import Features, extract
from consumer.features.ngrams import HASH_BITS, Ngrams
from consumer.learners.bayes import SHARPNESS, SMOOTHING, ComplementBayes
from consumer.learners.protocol import TrainingBatch
from consumer.learners.sparse import Table
from newsreel.events.document import Document

NO_REPLAY = TrainingBatch([], [])

STREAM = documents(24)

FEATURES = extract(Ngrams(), STREAM)

TARGETS = [number % 3 for number in range(len(STREAM))]

NEW = extract(Ngrams(), [*documents(10, start=100), Document("", "none of these words")])


def learned(features: Sequence[Features], targets: Sequence[int], size: int) -> ComplementBayes:
    learner = ComplementBayes()
    for start in range(0, len(features), size):
        batch = TrainingBatch(features[start : start + size], targets[start : start + size])
        apply_update(learner.propose(batch, NO_REPLAY, learner.predict_many(batch.features)))
    return learner


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(len(STREAM))), size=st.integers(1, 24))
def test_order_does_not_matter(order: list[int], size: int) -> None:
    """The same documents in any order and any batches lead to the same predictions."""
    one = learned(FEATURES, TARGETS, 24)
    other = learned([FEATURES[n] for n in order], [TARGETS[n] for n in order], size)
    np.testing.assert_allclose(
        one.predict_many(NEW).probabilities, other.predict_many(NEW).probabilities, atol=1e-3
    )


def test_formula() -> None:
    """Predictions are those of complement naive Bayes, computed from the texts directly."""
    scores = []
    units = [row["frequencies"].double() / row["frequencies"].double().norm() for row in FEATURES]
    spread = SMOOTHING * float(sum(each.sum() for each in units))
    containing = Counter(number for row in FEATURES for number in row["ngrams"].tolist())
    for document in NEW:
        numbers = document["ngrams"].tolist()
        rarity = [np.log((1 + len(STREAM)) / (1 + containing[n])) + 1 for n in numbers]
        values = document["frequencies"].numpy() * rarity
        values = values / np.linalg.norm(values)
        row = []
        for label in range(3):
            sums: Counter[int] = Counter()
            for other, each, target in zip(FEATURES, units, TARGETS, strict=True):
                if target != label:
                    sums.update(dict(zip(other["ngrams"].tolist(), each.tolist(), strict=True)))
            total = sum(sums.values()) + spread
            logs = [np.log((sums[n] + spread / 2**HASH_BITS) / total) for n in numbers]
            row.append(-float(np.dot(values, logs)))
        scores.append(row)
    powers = np.exp(SHARPNESS * (np.array(scores) - np.max(scores, axis=1, keepdims=True)))
    expected = powers / powers.sum(1, keepdims=True)
    predicted = learned(FEATURES, TARGETS, 5).predict_many(NEW).probabilities
    np.testing.assert_allclose(predicted, expected, atol=2e-3)


def test_totals() -> None:
    """The total of a label is the sum over its n-grams."""
    state = learned(FEATURES, TARGETS, 5).state_dict()
    sums = Table()
    sums.load_state_dict(state["sums"])
    np.testing.assert_allclose(state["totals"], sums.numbers.sum(0), rtol=1e-4)


def test_replay_changes_nothing() -> None:
    """Replayed documents are not counted again."""
    one, other = learned(FEATURES, TARGETS, 8), learned(FEATURES, TARGETS, 8)
    assert one.replay_features(FEATURES[0]) == {}
    predictions = one.predict_many(NEW[:2])
    apply_update(one.propose(TrainingBatch(NEW[:2], [0, 1]), TrainingBatch([{}], [2]), predictions))
    apply_update(other.propose(TrainingBatch(NEW[:2], [0, 1]), NO_REPLAY, predictions))
    np.testing.assert_array_equal(
        one.predict_many(NEW).probabilities, other.predict_many(NEW).probabilities
    )


def test_texts_without_words() -> None:
    """Without any counts, all labels are equally probable."""
    silent = extract(Ngrams(), [Document("", "!?"), Document("", "...")])
    learner = learned(silent, [0, 1], 2)
    assert learner.predict_many([*silent, *NEW]).probabilities == pytest.approx(0.5)


def test_one_label() -> None:
    """A single label is certain."""
    learner = learned(FEATURES[:4], [0] * 4, 4)
    assert learner.predict_many(NEW).probabilities == pytest.approx(1)
