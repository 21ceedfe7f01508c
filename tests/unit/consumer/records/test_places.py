"""Places of the parts of a document in a record."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.places import Place, PlaceError, RecordContent, leaves, listed

NAMES = st.text(st.characters(exclude_characters="."), min_size=1).filter(
    lambda name: name == name.strip()
)


def find(name: str, value: Any, **content: Any) -> Any:
    return Place.parse(name).find(
        RecordContent(
            value,
            content.get("envelope", value),
            content.get("key"),
            content.get("headers", {}),
        )
    )


VALUE = {
    "text": "hello",
    "payload": {"after": {"body": "late", "a.b": "dotted"}},
    "items": [{"body": "first"}, {"body": "second"}],
    "a.b.c": "whole name",
    "a.b": {"d": "both"},
    "after": '{"body": "of MongoDB", "tags": ["x"]}',
    "key": "field named key",
    "value": {"key": "inside value"},
    "header:x": "field with a colon",
    "none": None,
}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("text", "hello"),
        (" text ", "hello"),
        ("payload.after.body", "late"),
        ("payload.after.a.b", "dotted"),
        ("items.1.body", "second"),
        ("items.2.body", None),
        ("items.-1.body", None),
        ("items.body", None),
        ("a.b.c", "whole name"),
        ("a.b.d", "both"),
        ("after.body", "of MongoDB"),
        ("after.tags.0", "x"),
        ("key", b"7"),
        (".key", "field named key"),
        (".value.key", "inside value"),
        (".header:x", "field with a colon"),
        ("header:x", b"of the header"),
        ("header:y", None),
        ("value", VALUE),
        ("none", None),
        ("text.more", None),
        ("absent", None),
    ],
)
def test_find(name: str, found: Any) -> None:
    """Paths go through objects, lists, names with dots, and JSON in strings."""
    assert find(name, VALUE, key=b"7", headers={"x": b"of the header"}) == found


def test_the_data_of_an_event_come_first() -> None:
    """A path is looked up in the data of an event, and then in the event."""
    envelope = {"type": "ticket", "data": {"text": "a"}}
    data = envelope["data"]
    assert find("text", data, envelope=envelope) == "a"
    assert find("data.text", data, envelope=envelope) == "a"
    assert find("type", data, envelope=envelope) == "ticket"


def test_values_without_fields() -> None:
    """A value that is no object has no fields, but can be the text."""
    for value in ("hello", 7, None, True):
        assert find("text", value) is None
        assert find("value", value) == value
    assert find("0", [7]) == 7


@pytest.mark.parametrize("name", ["", " ", ".", "..", "header:", "header: "])
def test_no_place(name: str) -> None:
    """A name without a name in it is an error that says what a place is."""
    with pytest.raises(PlaceError, match="is no place in a record; give the name of a field"):
        Place.parse(name)


def test_covers() -> None:
    """A place covers the top-level field that it begins with."""
    assert Place.parse("ticket.body").covers("ticket")
    assert Place.parse(".key").covers("key")
    assert not Place.parse("ticket.body").covers("tick")
    assert not Place.parse("key").covers("key")
    assert not Place.parse("header:x").covers("x")


@given(st.lists(NAMES, min_size=1, max_size=6), st.integers(), st.booleans())
def test_any_path(path: list[str], leaf: int, as_string: bool) -> None:  # noqa: FBT001
    """Whatever fields are called, their path finds them, also in JSON that is a string."""
    value: Any = leaf
    for name in reversed(path):
        value = {name: value}
    if as_string:
        value = {path[0]: json.dumps(value[path[0]])} if len(path) > 1 else value
    assert find("." + ".".join(path), value) == leaf


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text(min_size=1), JSON)
def test_anything(name: str, value: Any) -> None:
    """Any name is a place or an error, and can be looked up in any value."""
    try:
        place = Place.parse(name)
    except PlaceError:
        return
    place.find(RecordContent(value, value, None, {}))


def test_leaves() -> None:
    """Leaves are the fields that hold no object, to a depth that messages can show."""
    assert list(leaves({"a": 1, "b": {"c": [2], "d": None}})) == [
        ("a", 1),
        ("b.c", [2]),
        ("b.d", None),
    ]
    deep: dict[str, Any] = {"x": {"x": {"x": {"x": {"x": {"x": 1}}}}}}
    assert list(leaves(deep)) == [("x.x.x.x.x", {"x": 1})]
    assert list(leaves([1])) == []


def test_listed() -> None:
    """A message names the first fields, each in short."""
    assert listed([]) == "none"
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"f{n}" for n in range(12)]).endswith("f9 and 2 more")
    assert listed(["x" * 100]) == "x" * 30
