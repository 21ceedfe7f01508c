"""Labels are numbered in the order of their first appearance, up to a limit."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.labels import LabelLimitError, LabelSet


@settings(deadline=None)
@given(st.lists(st.text(max_size=3)), st.integers(0, 50))
def test_numbers_follow_first_appearance(labels: list[str], stop: int) -> None:
    """Numbers follow the order of first appearance, also across a restart."""
    original = LabelSet(limit=100)
    numbers = [original.add(label) for label in labels[:stop]]
    restored = LabelSet(limit=100)
    restored.load_state_dict(json.loads(json.dumps(original.state_dict())))
    numbers += [restored.add(label) for label in labels[stop:]]
    expected = list(dict.fromkeys(labels))
    assert numbers == [expected.index(label) for label in labels]
    assert restored.names == expected
    assert len(restored) == len(expected)


def test_limit() -> None:
    """At the limit, a new label raises an error and a known label keeps its number."""
    labels = LabelSet(limit=2)
    labels.add("one")
    labels.add("two")
    with pytest.raises(LabelLimitError, match=r"'three'.* 2 labels .*--max-labels"):
        labels.add("three")
    assert labels.add("two") == 1
    assert labels.names == ["one", "two"]
