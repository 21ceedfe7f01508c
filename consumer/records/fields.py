"""Turn what a record has at a place into a text, a label or an id."""

import json
import re
from decimal import Decimal
from typing import Any

from consumer.records.places import Place, leaves, listed
from newsreel.events.cloudevents import MAX_ID_CHARACTERS
from newsreel.events.errors import SHOWN_CHARACTERS, DecodeError, Reason
from newsreel.events.scalars import scalar, whole

_NOT_TEXT = {"header": Reason.BAD_HEADER, "key": Reason.BAD_ID}

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")


def text(found: Any, place: Place) -> str | None:
    """Return a text; None if there is none.

    Raises
    ------
    DecodeError
        A number, a list, an object, or bytes that are not UTF-8.
    """
    match found:
        case None:
            return None
        case str():
            return whole(found)
        case bytes():
            return _utf8(found, place, Reason.NOT_UTF8)
        case dict():
            inner = [path for path, value in leaves(found, place.name) if isinstance(value, str)]
            raise DecodeError(
                Reason.WRONG_SHAPE,
                f"text: {place.name!r} is an object; name a field inside it (there are:"
                f" {listed(inner)})",
            )
    raise DecodeError(Reason.WRONG_SHAPE, f"text: {place.name!r} is {kind(found)}, not a string")


def label(found: Any, place: Place) -> str | None:
    """Return a label as JSON writes it, 1.0 as 1; None if there is none.

    Raises
    ------
    DecodeError
        A list, an object, or bytes that are not UTF-8.
    """
    match found:
        case bytes():
            return _utf8(found, place, _NOT_TEXT.get(place.kind, Reason.NOT_UTF8))
        case list():
            raise DecodeError(
                Reason.WRONG_SHAPE,
                f"label: {place.name!r} is a list; newsreel learns one label a document: name the"
                f" first with {place.name}.0, or another field",
            )
        case dict():
            raise DecodeError(
                Reason.WRONG_SHAPE,
                f"label: {place.name!r} is an object; name a field inside it (there are:"
                f" {listed([path for path, _ in leaves(found, place.name)])})",
            )
    return scalar(found)


def document_id(found: Any, place: Place) -> str:
    """Return the id at a place that the user named.

    Raises
    ------
    DecodeError
        There is none, or none that can be an id.
    """
    match found:
        case {"$oid": str(inner)}:  # MongoDB's extended JSON
            found = inner
        case bytes():
            found = _utf8(found, place, Reason.BAD_ID)
        case bool() | list() | dict():
            raise DecodeError(Reason.BAD_ID, f"id: {place.name!r} is {kind(found)}, no id")
    id_ = scalar(found)
    if id_ is None or not id_.strip():
        raise DecodeError(
            Reason.BAD_ID,
            f"id: the record has no {place.name!r}; see --id-field, which may be none",
        )
    if len(id_) > MAX_ID_CHARACTERS:
        raise DecodeError(
            Reason.BAD_ID, f"id: {len(id_)} characters, at most {MAX_ID_CHARACTERS} are allowed"
        )
    return id_


def key_as_id(key: bytes | None) -> str | None:
    """Return a key that can be an id: text without control characters; None for other keys."""
    try:
        id_ = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    if not id_.strip() or len(id_) > MAX_ID_CHARACTERS or _CONTROL.search(id_):
        return None
    return id_


def kind(value: Any) -> str:
    """Return what a value is, for a message."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float | Decimal):
        return f"a number ({str(value)[:SHOWN_CHARACTERS]})"
    match value:
        case dict():
            return "an object"
        case str():
            return "a string"
        case bytes():
            return "bytes"
    return f"a {type(value).__name__}"


def _utf8(content: bytes, place: Place, reason: Reason) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(reason, f"{place.name}: byte {error.start} is not valid UTF-8") from error
