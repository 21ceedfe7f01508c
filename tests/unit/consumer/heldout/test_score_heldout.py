"""Examining a learner on documents that it never learns from."""

import math

import pytest
from loops import build_loop, numbered, read
from sklearn.metrics import accuracy_score

from consumer.heldout.checkpoint_evaluator import score_heldout
from newsreel.events.document import Document


def test_scores_of_a_learner_that_stays_as_it_is() -> None:
    """Every labelled document counts, in whatever order; neither labels nor learner change."""
    reader = build_loop(batch_size=4)
    read(reader, numbered("aaab" * 5))
    state = reader.classifier.learner.state_dict()
    labels = ["a", "b", "never seen", None, "a"] * 30
    documents = [
        Document(str(n), "x" * (n * 37 % 100 + 1), label) for n, label in enumerate(labels)
    ]
    scores = score_heldout(reader.classifier, documents)
    truths = [label for label in labels if label is not None]
    assert scores.documents == len(truths) == 120
    assert scores.accuracy == pytest.approx(accuracy_score(truths, ["a"] * len(truths)))
    assert scores.recall == {"a": 1.0, "b": 0.0, "never seen": 0.0}
    assert reader.classifier.learner.state_dict() == state
    assert reader.classifier.labels.names == ["a", "b"]


def test_nothing_to_examine() -> None:
    """Without a labelled document there are no scores."""
    reader = build_loop()
    for documents in ([], numbered([None, None])):
        scores = score_heldout(reader.classifier, documents)
        assert scores.documents == 0
        assert math.isnan(scores.accuracy)
