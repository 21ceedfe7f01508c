"""Forgetting is the best recall so far minus the current recall."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.evaluation.forgetting import Forgetting

LABELS = ["a", "b", "c"]

shares = st.floats(0, 1)

recalls = st.dictionaries(st.sampled_from(LABELS), shares, min_size=1)

MANY = dict.fromkeys(LABELS, 100)


def after(*recalls: dict[str, float]) -> Forgetting:
    """Return the forgetting after evaluations of many documents."""
    forgetting = Forgetting()
    for recall in recalls:
        forgetting.update(recall, MANY)
    return forgetting


@given(st.lists(recalls, min_size=1))
def test_best_minus_current(past: list[dict[str, float]]) -> None:
    """Forgetting is the best recall so far minus the current recall, and never negative."""
    forgetting = after(*past)
    current = past[-1]
    expected = {
        label: max(recall[label] for recall in past if label in recall) - current[label]
        for label in current
    }
    assert forgetting.by_label == expected
    assert min(forgetting.by_label.values()) >= 0
    assert forgetting.mean == pytest.approx(sum(expected.values()) / len(expected))


@given(recalls, shares)
def test_new_label(known: dict[str, float], recall: float) -> None:
    """The forgetting of a label in its first evaluation is 0, at any recall."""
    forgetting = after(known)
    forgetting.update({"new": recall}, {"new": 5})
    assert forgetting.by_label == {"new": 0.0}
    assert forgetting.mean == 0.0


@given(recalls, st.lists(recalls))
def test_better_recall_becomes_the_best(
    first: dict[str, float], past: list[dict[str, float]]
) -> None:
    """After a recall of 1 for every label, forgetting is 1 minus the current recall."""
    forgetting = after(first, *past, dict.fromkeys(LABELS, 1.0))
    assert forgetting.by_label == dict.fromkeys(LABELS, 0.0)
    forgetting.update(first, MANY)
    assert forgetting.by_label == {label: 1.0 - recall for label, recall in first.items()}


@pytest.mark.parametrize(("documents", "forgotten"), [(1, 0.25), (2, 0.25), (3, 0.0)])
def test_best_recall_of_few_documents_is_replaced(documents: int, forgotten: float) -> None:
    """An evaluation of more than twice as many documents replaces the best recall."""
    forgetting = Forgetting()
    forgetting.update({"a": 1.0}, {"a": 1})
    forgetting.update({"a": 0.75}, {"a": documents})
    assert forgetting.by_label == {"a": forgotten}


def test_no_labels() -> None:
    """Mean forgetting without labels is nan."""
    assert math.isnan(Forgetting().mean)


@given(st.lists(recalls, min_size=1), recalls)
def test_state(past: list[dict[str, float]], current: dict[str, float]) -> None:
    """A restored state gives the same forgetting after the next evaluation."""
    forgetting, restored = after(*past), Forgetting()
    restored.load_state_dict(forgetting.state_dict())
    for each in (forgetting, restored):
        each.update(current, MANY)
    assert restored.by_label == forgetting.by_label
