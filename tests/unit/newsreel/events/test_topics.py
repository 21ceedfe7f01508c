"""Topic names."""

from newsreel.events import topics


def test_topics_of_a_stream_are_named_after_it() -> None:
    """Documents, held-out documents and dead letters of a stream have topics of different names."""
    names = {name: {name, topics.heldout(name), topics.dead_letters(name)} for name in ("a", "b")}
    assert all(len(group) == 3 for group in names.values())
    assert not names["a"] & names["b"]
    assert all(topic.startswith("a") for topic in names["a"])
