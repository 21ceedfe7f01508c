"""Which labels are not recognized any more."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.drift.collapse import REMEMBERED, Recalls, at_most


def recalls(**hits: str) -> Recalls:
    """Take in hits (+) and misses (-) of labels, before and after document 1000 (|)."""
    made = Recalls()
    for label, said in hits.items():
        before, _, after = said.partition("|")
        for start, part in ((900, before), (1000, after)):
            for number, mark in enumerate(part, start):
                made.add(label, number, hit=mark == "+")
    return made


def test_collapsed() -> None:
    """Labels collapse when they were recognized, come again, and are not recognized."""
    found = recalls(
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
    assert found == ["collapsed", "partly"]


def test_forget() -> None:
    """A label that was forgotten begins anew: its misses don't count twice."""
    made = recalls(a="+" * 20 + "|-----", b="+" * 20 + "|-----")
    made.forget(["a", "unknown"])
    assert made.collapsed(1000) == ["b"]


def test_only_the_last_count() -> None:
    """Of each label so many are remembered that a change long ago is no change."""
    made = recalls(a="+" * 20 + "|" + "-" * REMEMBERED)
    assert made.collapsed(1000) == []


def test_saved() -> None:
    """What was saved is restored."""
    made, restored = recalls(a="+" * 20 + "|-----", b="++|-"), Recalls()
    restored.load_state_dict(made.state_dict())
    assert restored.state_dict() == made.state_dict()
    assert restored.collapsed(1000) == ["a"]


@given(trials=st.integers(1, 60), probability=st.floats(0.01, 0.99), data=st.data())
def test_binomial(trials: int, probability: float, data: st.DataObject) -> None:
    """Probabilities add up."""
    successes = data.draw(st.integers(0, trials))
    below = at_most(successes, trials, probability)
    above = at_most(trials - successes - 1, trials, 1 - probability)
    assert math.isclose(below + above, 1.0, rel_tol=1e-9)


def test_none_of_three() -> None:
    """As a check by hand: three misses at a recall of .9."""
    assert at_most(0, 3, 0.9) == pytest.approx(0.001)
