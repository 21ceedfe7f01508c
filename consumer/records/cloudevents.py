"""CloudEvents of anybody: binary mode, with attributes in headers, and structured mode, in JSON."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consumer.records.formats import ValueFormat
from newsreel.events.errors import DecodeError, Reason

STRUCTURED = "application/cloudevents+json"

BATCH = "application/cloudevents-batch"

REQUIRED = ("specversion", "id", "source", "type")


@dataclass(frozen=True, slots=True)
class Event:
    """The attributes of an event that matter here; the data of one in structured mode."""

    id: str | None = None
    type: str | None = None
    source: str | None = None
    data: Any = None


def binary(headers: Mapping[str, bytes | None]) -> Event:
    """Return the event whose attributes are in headers; without an id if there is none."""
    return Event(*(_text(headers.get(f"ce_{name}")) for name in ("id", "type", "source")))


def structured(
    value: Any, headers: Mapping[str, bytes | None], value_format: ValueFormat
) -> Event | None:
    """Return the event that a JSON value holds; None if the value holds no event.

    Raises
    ------
    DecodeError
        The value is a batch of events, or its data can't be decoded.
    """
    content_type = (_text(headers.get("content-type")) or "").lower()
    if content_type.startswith(BATCH):
        raise DecodeError(
            Reason.WRONG_SHAPE, "value: a batch of CloudEvents; publish one event a record"
        )
    if not isinstance(value, dict):
        return None
    is_event = all(isinstance(value.get(name), str) for name in REQUIRED)
    has_data = "data" in value or "data_base64" in value
    if not (content_type.startswith(STRUCTURED) or (is_event and has_data)):
        return None
    id_, type_, source = (
        found if isinstance(found := value.get(name), str) else None
        for name in ("id", "type", "source")
    )
    if isinstance(encoded := value.get("data_base64"), str):
        try:
            data: Any = value_format.decode(base64.b64decode(encoded, validate=True))
        except ValueError as error:
            if isinstance(error, DecodeError):
                raise
            raise DecodeError(Reason.WRONG_SHAPE, "data_base64: it is not base64") from error
    else:
        data = value.get("data")
    return Event(id_, type_, source, data)


def _text(content: bytes | None) -> str | None:
    try:
        return (content or b"").decode() or None
    except UnicodeDecodeError:
        return None
