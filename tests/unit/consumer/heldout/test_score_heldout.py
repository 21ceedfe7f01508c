"""Score a learner on documents without training it."""

import math
from typing import Any

import pytest
from sklearn.metrics import accuracy_score

from consumer.heldout.checkpoint_evaluator import score_heldout
from newsreel.events.document import Document


def test_scores_leave_the_learner_unchanged(consumer: Any, numbered: Any) -> None:
    """Every labelled document counts, in any order; neither the labels nor the learner change."""
    reader = consumer(batch_size=4)
    reader.read(numbered("aaab" * 5))
    state = reader.learner.state_dict()
    labels = ["a", "b", "never seen", None, "a"] * 30
    documents = [
        Document(str(n), "x" * (n * 37 % 100 + 1), label) for n, label in enumerate(labels)
    ]
    scores = score_heldout(reader.extractor, reader.learner, reader.labels, documents)
    truths = [label for label in labels if label is not None]
    assert scores.documents == len(truths) == 120
    assert scores.accuracy == pytest.approx(accuracy_score(truths, ["a"] * len(truths)))
    assert scores.recall == {"a": 1.0, "b": 0.0, "never seen": 0.0}
    assert reader.learner.state_dict() == state
    assert reader.labels.names == ["a", "b"]


def test_no_labelled_documents(consumer: Any, numbered: Any) -> None:
    """Without a labelled document there are no scores."""
    reader = consumer()
    for documents in ([], numbered([None, None])):
        scores = score_heldout(reader.extractor, reader.learner, reader.labels, documents)
        assert scores.documents == 0
        assert math.isnan(scores.accuracy)
