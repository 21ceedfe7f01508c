"""The key and headers of a record: CloudEvents 1.0, Kafka binding, binary mode."""

import re
from collections.abc import Iterable
from datetime import datetime

from newsreel.events.errors import SHOWN_CHARACTERS, DecodeError, Reason, shorten

CE_TYPE = "newsreel.document"

CONTENT_TYPE = "application/json"

MAX_ID_CHARACTERS = 1024

RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)

Headers = list[tuple[str, bytes]]


def attributes(id_: str, source: str, time: datetime, type_: str = CE_TYPE) -> Headers:
    """Encode the attributes of an event as headers.

    Parameters
    ----------
    id_
        Id of the event; for a document or label, the id of the document.
    source
        URI reference of the event's origin.
    time
        Time of the event, with an offset.
    type_
        Type of the event.
    """
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", id_.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type_.encode()),
        ("ce_time", time.isoformat().encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]


def size(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Return the approximate size of headers in bytes: names count by their characters."""
    return sum(len(name) + len(content or b"") for name, content in headers)


def identity(
    key: bytes | None, headers: Iterable[tuple[str, bytes | None]], type_: str = CE_TYPE
) -> str | None:
    """Return the document's id from a record's key and headers, None if neither has an id.

    Parameters
    ----------
    key
        Key of the record. If the headers have an id as well, both must be equal.
    headers
        Headers of the record: either no ``ce_`` header or all that CloudEvents requires.
    type_
        Type that the event must have.

    Raises
    ------
    DecodeError
        An attribute is missing or wrong, the content type is not JSON, or the id has a wrong
        length.
    """
    event = {
        name: _utf8(content, f"header {name[:SHOWN_CHARACTERS]}", Reason.BAD_HEADER)
        for name, content in map(_checked_name, headers)
        if name.startswith("ce_") or name == "content-type"
    }
    content_type = event.pop("content-type", CONTENT_TYPE)
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise DecodeError(
            Reason.BAD_HEADER,
            f"header content-type: {shorten(content_type)}, expected {CONTENT_TYPE!r}",
        )
    id_ = None if key is None else _utf8(key, "key", Reason.BAD_ID)
    if event:
        for name, expected in (("ce_specversion", "1.0"), ("ce_type", type_)):
            if event.get(name) != expected:
                raise DecodeError(
                    Reason.BAD_HEADER,
                    f"header {name}: {shorten(event.get(name))}, expected {expected!r}",
                )
        time = event.get("ce_time")
        if time is not None and not RFC_3339.fullmatch(time):
            raise DecodeError(Reason.BAD_HEADER, f"header ce_time: {shorten(time)} is not RFC 3339")
        for name in ("ce_id", "ce_source"):
            if not event.get(name):
                raise DecodeError(Reason.BAD_HEADER, f"header {name}: missing or empty")
        if id_ is not None and id_ != event["ce_id"]:
            raise DecodeError(
                Reason.BAD_ID,
                f"key: {shorten(id_)} is not the header ce_id {shorten(event['ce_id'])}",
            )
        id_ = event["ce_id"]
    if id_ is not None and not 0 < len(id_) <= MAX_ID_CHARACTERS:
        raise DecodeError(
            Reason.BAD_ID,
            f"key: {len(id_)} characters, between 1 and {MAX_ID_CHARACTERS} are allowed",
        )
    return id_


def _checked_name(header: tuple[str, bytes | None]) -> tuple[str, bytes | None]:
    """Refuse a header whose name was not UTF-8; the Kafka client put in surrogates (PEP 383)."""
    name = header[0].encode("utf-8", "backslashreplace").decode()
    if name != header[0]:
        raise DecodeError(Reason.BAD_HEADER, f"header {shorten(name)}: its name is not valid UTF-8")
    return header


def _utf8(content: bytes | None, part: str, reason: Reason) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError as error:
        raise DecodeError(reason, f"{part}: byte {error.start} is not valid UTF-8") from error
