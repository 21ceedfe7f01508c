"""Labels whose recall collapsed are found from hits and misses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.drift.collapse import HISTORY, RecallHistory, binomial_cdf


def history(**outcomes: str) -> RecallHistory:
    """Return the history of hits (+) and misses (-) before and after document 1000 (|)."""
    recalls = RecallHistory()
    for label, marks in outcomes.items():
        before, _, after = marks.partition("|")
        for start, part in ((900, before), (1000, after)):
            for number, mark in enumerate(part, start):
                recalls.add(label, number, hit=mark == "+")
    return recalls


def test_collapsed() -> None:
    """A label has collapsed if its recall was high before the change and is low afterwards."""
    collapsed = history(
        collapsed="+++++++++++++-+++|-----",
        partly="+" * 20 + "|--+------",
        fine="+" * 20 + "|+++-++",
        few_after="+" * 20 + "|----",
        few_before="+++|-----",
        never_known="-" * 20 + "|-----",
        worse="+" * 20 + "|+--+--+--+--",
        away="+" * 20 + "|",
        new="|-------",
    ).collapsed(1000)
    assert collapsed == ["collapsed", "partly"]


def test_forget() -> None:
    """A forgotten label has no history: earlier misses do not count again."""
    recalls = history(a="+" * 20 + "|-----", b="+" * 20 + "|-----")
    recalls.forget(["a", "unknown"])
    assert recalls.collapsed(1000) == ["b"]


def test_history_is_bounded() -> None:
    """The history of a label no longer contains documents before an old change."""
    recalls = history(a="+" * 20 + "|" + "-" * HISTORY)
    assert recalls.collapsed(1000) == []


def test_state() -> None:
    """A restored history is equal to the saved history."""
    recalls, restored = history(a="+" * 20 + "|-----", b="++|-"), RecallHistory()
    restored.load_state_dict(recalls.state_dict())
    assert restored.state_dict() == recalls.state_dict()
    assert restored.collapsed(1000) == ["a"]


@given(trials=st.integers(1, 60), probability=st.floats(0.01, 0.99), data=st.data())
def test_binomial(trials: int, probability: float, data: st.DataObject) -> None:
    """The probabilities of an event and of its complement sum to 1."""
    successes = data.draw(st.integers(0, trials))
    below = binomial_cdf(successes, trials, probability)
    above = binomial_cdf(trials - successes - 1, trials, 1 - probability)
    assert math.isclose(below + above, 1.0, rel_tol=1e-9)


def test_binomial_of_three_misses() -> None:
    """Three misses at a recall of 0.9 have the probability 0.1 ** 3."""
    assert binomial_cdf(0, 3, 0.9) == pytest.approx(0.001)
