"""Scores of a learner on held-out documents."""

import math

import pytest
from loops import build_loop, numbered, read
from sklearn.metrics import accuracy_score

from consumer.heldout.checkpoint_evaluator import score_heldout
from newsreel.events.document import Document


def test_scores() -> None:
    """All labelled documents count; neither labels nor learner change."""
    loop = build_loop(batch_size=4)
    read(loop, numbered("aaab" * 5))
    state = loop.classifier.learner.state_dict()
    labels = ["a", "b", "never seen", None, "a"] * 30
    documents = [
        Document(str(n), "x" * (n * 37 % 100 + 1), label) for n, label in enumerate(labels)
    ]
    scores = score_heldout(loop.classifier, documents)
    truths = [label for label in labels if label is not None]
    assert scores.documents == len(truths) == 120
    assert scores.accuracy == pytest.approx(accuracy_score(truths, ["a"] * len(truths)))
    assert scores.recall == {"a": 1.0, "b": 0.0, "never seen": 0.0}
    assert loop.classifier.learner.state_dict() == state
    assert loop.classifier.labels.names == ["a", "b"]


def test_no_labelled_document() -> None:
    """Without a labelled document there are no scores."""
    loop = build_loop()
    for documents in ([], numbered([None, None])):
        scores = score_heldout(loop.classifier, documents)
        assert scores.documents == 0
        assert math.isnan(scores.accuracy)
