"""What was known once and is known no more."""

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
    forgetting = Forgetting()
    for recall in recalls:
        forgetting.update(recall, MANY)
    return forgetting


@given(st.lists(recalls, min_size=1))
def test_best_minus_now(past: list[dict[str, float]]) -> None:
    """It is the best recall so far minus that of now, never below 0."""
    forgetting = after(*past)
    now = past[-1]
    expected = {
        label: max(recall[label] for recall in past if label in recall) - now[label]
        for label in now
    }
    assert forgetting.by_label == expected
    assert min(forgetting.by_label.values()) >= 0
    assert forgetting.mean == pytest.approx(sum(expected.values()) / len(expected))


@given(recalls, shares)
def test_a_label_first_seen(known: dict[str, float], recall: float) -> None:
    """A label that was never examined before is not forgotten, however badly it is known."""
    forgetting = after(known)
    forgetting.update({"new": recall}, {"new": 5})
    assert forgetting.by_label == {"new": 0.0}
    assert forgetting.mean == 0.0


@given(recalls, st.lists(recalls))
def test_what_gets_better_moves_the_best(
    first: dict[str, float], past: list[dict[str, float]]
) -> None:
    """After a recall of 1 for every label, each is forgotten by what is lacking of 1."""
    forgetting = after(first, *past, dict.fromkeys(LABELS, 1.0))
    assert forgetting.by_label == dict.fromkeys(LABELS, 0.0)
    forgetting.update(first, MANY)
    assert forgetting.by_label == {label: 1.0 - recall for label, recall in first.items()}


@pytest.mark.parametrize(("documents", "forgotten"), [(1, 0.25), (2, 0.25), (3, 0.0)])
def test_a_best_of_few_documents_is_chance(documents: int, forgotten: float) -> None:
    """When there are more than twice as many held-out documents, the best starts over."""
    forgetting = Forgetting()
    forgetting.update({"a": 1.0}, {"a": 1})
    forgetting.update({"a": 0.75}, {"a": documents})
    assert forgetting.by_label == {"a": forgotten}


def test_nothing_examined() -> None:
    """Without a label there is no mean."""
    assert math.isnan(Forgetting().mean)


@given(st.lists(recalls, min_size=1), recalls)
def test_it_survives(past: list[dict[str, float]], now: dict[str, float]) -> None:
    """What another one goes on from is what this one has kept."""
    forgetting, other = after(*past), Forgetting()
    other.load_state_dict(forgetting.state_dict())
    for one in (forgetting, other):
        one.update(now, MANY)
    assert other.by_label == forgetting.by_label
