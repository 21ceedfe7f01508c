"""Labels have one spelling, whatever a record or a table writes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsreel.events.label_text import LONGEST, normalized


@given(st.text(st.characters(codec="utf-8")), st.text(" \t\n\u3000\u200b\ufeff"))
def test_one_spelling(label: str, blanks: str) -> None:
    """Blanks around a label and its Unicode form do not count; normalizing twice is as once."""
    once = normalized(label)
    assert normalized(blanks + label + blanks) == once
    assert normalized(unicodedata.normalize("NFD", label)) == once
    assert normalized(once) == once


@pytest.mark.parametrize("middle", [" " * 1_000_000, "\u0301\u0323" * 500_000])
def test_long_labels(middle: str) -> None:
    """A label of any length is cut before it is normalized, and stays too long for a label."""
    assert 256 < len(normalized("a" + middle + "b")) <= LONGEST
