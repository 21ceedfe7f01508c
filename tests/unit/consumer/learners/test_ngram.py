"""Count, weigh and store n-grams, and fit a softmax regression on them."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers import Restore, apply_update, documents
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.evaluation.evaluator import LEAST_PROBABILITY
from consumer.features.extractor import extract
from consumer.features.ngrams import HASH_BITS, Ngrams
from consumer.learners.ngram import NgramSoftmax
from consumer.learners.protocol import TrainingBatch
from consumer.learners.sparse import DocumentFrequencies, Table, softmax
from newsreel.events.document import Document

NO_REPLAY = TrainingBatch([], [])


def ngrams(*texts: str) -> list[Any]:
    return extract(Ngrams(), [Document("", text) for text in texts])


def test_words_and_pairs() -> None:
    """The n-grams of a text are its words and pairs of words, with the log of 1 + count."""
    one, pair, again, none = ngrams("a", "a b", "A, b. A", "!!!")
    assert len(one["ngrams"]) == 1
    assert len(pair["ngrams"]) == 3  # a, b, a b
    assert sorted(again["frequencies"].tolist()) == pytest.approx(np.log([2, 2, 2, 3]))
    assert set(pair["ngrams"].tolist()) < set(again["ngrams"].tolist())  # b a
    assert len(none["ngrams"]) == len(none["frequencies"]) == 0
    for features in (one, pair, again, none):
        assert features["ngrams"].dtype == torch.int32
        assert features["frequencies"].dtype == torch.float32


def test_document_frequencies() -> None:
    """The rarer an n-gram was in the stream, the larger its weight; weights have norm 1."""
    frequencies = DocumentFrequencies()
    for features in ngrams("common", "common", "common rare", "other"):
        frequencies.add(features)
    (text,) = ngrams("common unseen rare")
    numbers, values = frequencies.weigh(text)
    weights = dict(zip(numbers.tolist(), values.tolist(), strict=True))
    common, rare, unseen = (weights[ngrams(w)[0]["ngrams"].item()] for w in TERMS)
    assert common < rare < unseen
    idf = [np.log(5 / (1 + count)) + 1 for count in (3, 1, 0)]
    assert np.array([common, rare, unseen]) / common == pytest.approx(np.array(idf) / idf[0])
    assert np.linalg.norm(values) == pytest.approx(1)


TERMS = ("common", "rare", "unseen")


def test_document_frequencies_are_restored(restore: Restore) -> None:
    """After a restart n-grams have the same weights, and counting continues."""
    one, other = DocumentFrequencies(), DocumentFrequencies()
    some = ngrams("a b c", "a", "a c")
    for features in some:
        one.add(features)
    restore(one, other)
    for _ in range(2):
        for features in some:
            np.testing.assert_array_equal(one.weigh(features)[1], other.weigh(features)[1])
            one.add(features)
            other.add(features)


changes = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 2**HASH_BITS - 1), st.floats(-9, 9, width=32)),
    max_size=12,
)


@settings(deadline=None, max_examples=15)
@given(changes=changes, stop=st.integers(0, 12))
def test_table(restore: Restore, changes: Any, stop: int) -> None:
    """A table holds the values written, else 0, however it grows and over a restart."""
    table, expected = Table(), {}
    for number, (label, ngram, value) in enumerate(changes):
        if number == stop:
            restored = Table()
            restore(table, restored)
            assert restored.labels == table.labels
            table = restored
        table.grow(label + 1)
        table.numbers[ngram, label] = value
        expected[ngram, label] = value
    assert table.numbers.shape == (2**HASH_BITS, max((c[0] + 1 for c in changes), default=0))
    for (ngram, label), value in expected.items():
        assert table.numbers[ngram, label] == np.float32(value)
    written = sum(value != 0 for value in expected.values())
    assert (table.numbers != 0).sum() == written


def test_state_of_a_table() -> None:
    """A checkpoint holds the numbers that are not 0, and no others."""
    table = Table()
    table.grow(3)
    table.numbers[[7, 9], [0, 2]] = 1.0
    table.grow(5)
    state = table.state_dict()
    assert state["labels"] == 5
    assert state["places"].tolist() == [7 * 5, 9 * 5 + 2]
    assert state["numbers"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (0, 4)])
def test_softmax_of_nothing(shape: tuple[int, int]) -> None:
    """Without documents or labels there are no probabilities."""
    assert softmax(np.zeros(shape, dtype=np.float32)).shape == shape


def test_softmax_of_large_scores() -> None:
    """Probabilities are finite, however large the scores."""
    rows = softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0]], dtype=np.float32))
    np.testing.assert_allclose(rows, [[1, 0], [0.5, 0.5]])


def test_steps_are_adagrad() -> None:
    """The first step from zero weights is the gradient divided by the root of its square."""
    (features,) = ngrams("word")
    learner = NgramSoftmax()
    batch = TrainingBatch([features], [1])
    loss = apply_update(learner.propose(batch, NO_REPLAY, learner.predict_many(batch.features)))
    assert loss == pytest.approx(-np.log(LEAST_PROBABILITY))  # no label was known
    # One n-gram of value 1; error is p - y = (0.5, -0.5); squares begin with 0.01.
    step = 0.5 / np.sqrt(0.01 + 0.25)
    scores = 1.0 * np.array([-step, step]) + 0.1 * np.array([-step, step])
    expected = np.exp(scores) / np.exp(scores).sum()
    assert learner.predict_many([features]).probabilities[0] == pytest.approx(expected, abs=1e-5)


def test_replayed_documents_are_not_counted_again() -> None:
    """Document frequencies count each document of the stream once."""
    features = extract(Ngrams(), documents(6))
    learner = NgramSoftmax()
    for _ in range(3):
        apply_update(
            learner.propose(
                TrainingBatch(features[:2], [0, 1]),
                TrainingBatch([learner.replay_features(row) for row in features[2:]], [0, 1, 0, 1]),
                learner.predict_many(features[:2]),
            )
        )
    assert learner.state_dict()["frequencies"]["documents"] == 6
