"""Places in a record: a field of its value, a header, the key, or the whole value."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from consumer.records.config import NO_ID, RecordConfig
from newsreel.common.errors import UserError

HEADER = "header:"

SHOWN_FIELDS = 10
"""Number of fields that a message names."""

DEEPEST = 5
"""Levels of objects in objects whose fields are listed."""


class PlaceError(UserError):
    """An option names no possible place."""


@dataclass(frozen=True, slots=True)
class RecordContent:
    """A record with its value decoded."""

    value: Any
    """The value; of a CloudEvent in structured mode, its data."""
    envelope: Any
    """The value with the attributes of the CloudEvent; otherwise the same as ``value``."""
    key: bytes | None
    headers: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a text, label, id or time in a record.

    Examples
    --------
    >>> content = RecordContent({"ticket": {"body": "late"}}, None, b"7", {"lang": b"en"})
    >>> [Place.parse(name).find(content) for name in ("ticket.body", "header:lang", "key")]
    ['late', b'en', b'7']
    """

    kind: Literal["field", "header", "key", "value"]
    name: str
    """The place as an option names it."""

    @classmethod
    def parse(cls, name: str) -> "Place":
        """Return the place that an option names.

        ``key``, ``value`` and ``header:NAME`` are places; any other name is a path of field names,
        separated by dots. A leading dot makes a path of ``.key`` and ``.value``.

        Raises
        ------
        PlaceError
            The name is empty.
        """
        stripped = name.strip()
        if not stripped.removeprefix(HEADER).strip("."):
            raise PlaceError(
                f"{name!r} is no place in a record; give the name of a field, a path such as"
                " payload.after.body, header:NAME, key or value"
            )
        if stripped.startswith(HEADER):
            return cls("header", stripped)
        if stripped in {"key", "value"}:
            return cls("key" if stripped == "key" else "value", stripped)
        return cls("field", stripped)

    def find(self, content: RecordContent) -> Any:
        """Return what a record has at this place: bytes of a header or key; None if nothing."""
        match self.kind:
            case "key":
                return content.key
            case "header":
                return content.headers.get(self.name.removeprefix(HEADER))
            case "value":
                return content.value
        path = self.name.removeprefix(".")
        found = _find(content.value, path)
        return _find(content.envelope, path) if found is None else found

    def covers(self, field: str) -> bool:
        """Return whether this is the place of a top-level field, or of a part of that field."""
        path = self.name.removeprefix(".")
        return self.kind == "field" and (path == field or path.startswith(f"{field}."))


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a document are in a record."""

    text: Sequence[Place]
    label: Place
    id: Place | None
    """None: the CloudEvents id, or the key if it can be an id, or the position."""
    time: Place
    position_is_id: bool = False
    """Whether the position is the id of every record."""

    @classmethod
    def of(cls, config: RecordConfig) -> "Places":
        """Return the places that the options name, or the default ones.

        Raises
        ------
        PlaceError
            An option names no place.
        """
        plain = config.format == "text"
        names = (config.text or ("value" if plain else "text")).split(",")
        return cls(
            [Place.parse(name) for name in names],
            Place.parse(config.label or ("header:label" if plain else "label")),
            None if config.id in {None, NO_ID} else Place.parse(config.id or ""),
            Place.parse(config.time or ("header:time" if plain else "time")),
            config.id == NO_ID,
        )

    @property
    def all(self) -> list[Place]:
        """Every place."""
        return [*self.text, self.label, self.time, *([self.id] if self.id else [])]


def option_of(path: str) -> str | None:
    """Return the path of a field as an option names the field; None if no option can.

    Examples
    --------
    >>> [option_of(path) for path in ("ticket.body", "key", "-x", "blank ")]
    ['ticket.body', '.key', '.-x', None]
    """
    is_plain = path[:1] not in {".", "-", " "} and path not in {"key", "value", "None", NO_ID}
    name = path if is_plain and not path.startswith(HEADER) else f".{path}"
    if not path.isprintable() or not path.strip(".") or name != name.strip():
        return None
    return name


def _find(value: Any, path: str) -> Any:
    """Return the value at a path; a field whose own name has dots is found as well."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        value = parsed(value)
    if isinstance(value, list):
        head, _, rest = path.partition(".")
        if not head.isdecimal() or int(head) >= len(value):
            return None
        return _find(value[int(head)], rest) if rest else value[int(head)]
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    for at, character in enumerate(path):
        if character == "." and path[:at] in value:
            found = _find(value[path[:at]], path[at + 1 :])
            if found is not None:
                return found
    return None


def parsed(text: str) -> Any:
    """Return the JSON in a string, as some databases write objects; None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def leaves(value: Any, path: str = "", depth: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each field that holds no object."""
    if isinstance(value, dict) and depth:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else str(name), depth - 1)
    elif path:
        yield path, value


def listed(names: Sequence[str]) -> str:
    """Return names of fields for a message, the first of them if there are many."""
    if not names:
        return "none"
    more = f" and {len(names) - SHOWN_FIELDS} more" if len(names) > SHOWN_FIELDS else ""
    return ", ".join(name[:30] for name in names[:SHOWN_FIELDS]) + more
