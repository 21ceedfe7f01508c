"""Labels are numbered as they appear, up to a limit."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.labels import LabelLimitError, LabelSet


@settings(deadline=None)
@given(st.lists(st.text(max_size=3)), st.integers(0, 50))
def test_numbers_follow_first_appearance(labels: list[str], stop: int) -> None:
    """A label's number is that of its first appearance, whether or not a restart lies between."""
    known = LabelSet(limit=100)
    numbers = [known.add(label) for label in labels[:stop]]
    restored = LabelSet(limit=100)
    restored.load_state_dict(json.loads(json.dumps(known.state_dict())))
    numbers += [restored.add(label) for label in labels[stop:]]
    appeared = list(dict.fromkeys(labels))
    assert numbers == [appeared.index(label) for label in labels]
    assert restored.names == appeared
    assert len(restored) == len(appeared)


def test_limit() -> None:
    """At the limit a new label is refused and known ones are still welcome."""
    labels = LabelSet(limit=2)
    labels.add("one")
    labels.add("two")
    with pytest.raises(LabelLimitError, match=r"'three'.* 2 labels .*--max-labels"):
        labels.add("three")
    assert labels.add("two") == 1
    assert labels.names == ["one", "two"]
