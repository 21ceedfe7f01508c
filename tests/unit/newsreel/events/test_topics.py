"""Names of the topics of a stream."""

from dataclasses import asdict, fields

import pytest

from newsreel.events.topics import Names

TOPICS = [field.name for field in fields(Names)]


def test_topics_of_a_stream_are_named_after_its_documents() -> None:
    """Without names of their own, the topics of a stream are named after the documents."""
    assert asdict(Names.of("tickets")) == {
        "documents": "tickets",
        "heldout": "tickets.heldout",
        "predictions": "tickets.predictions",
        "dead_letters": "tickets.dead-letters",
        "labels": "tickets.labels",
        "drift": "tickets.drift",
        "truth": "tickets.truth",
    }


@pytest.mark.parametrize("topic", TOPICS[1:])
def test_given_name(topic: str) -> None:
    """A name that is given replaces the default; the other names stay."""
    names = asdict(Names.of("tickets", **{topic: "ml_given"}))
    assert names.pop(topic) == "ml_given"
    assert names.items() <= asdict(Names.of("tickets")).items()


@pytest.mark.parametrize("topic", TOPICS[1:])
@pytest.mark.parametrize("other", TOPICS)
def test_two_topics_of_one_name(topic: str, other: str) -> None:
    """A name that another topic has is refused; the message names both topics."""
    if topic == other:
        return
    with pytest.raises(ValueError, match="have the same name") as refused:
        Names.of("tickets", **{topic: asdict(Names.of("tickets"))[other]})
    assert topic.replace("_", "-") in str(refused.value)
    assert other.replace("_", "-") in str(refused.value)
