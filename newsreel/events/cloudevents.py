"""CloudEvents 1.0, Kafka binding, binary mode: a record's key and headers."""

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
    """Write the attributes of an event as headers."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", id_.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type_.encode()),
        ("ce_time", time.isoformat().encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]


def size(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Count the bytes of headers, about: a name counts by its characters."""
    return sum(len(name) + len(content or b"") for name, content in headers)


def identity(
    key: bytes | None, headers: Iterable[tuple[str, bytes | None]], type_: str = CE_TYPE
) -> str | None:
    """Read a document's id from key and attributes, which must agree where both are there.

    Attributes must be of an event of that type.

    Raises
    ------
    DecodeError
        An attribute is missing or wrong, the content is no JSON, or the id is none.
    """
    found = {
        name: _utf8(content, f"header {name[:SHOWN_CHARACTERS]}", Reason.BAD_HEADER)
        for name, content in map(_named, headers)
        if name.startswith("ce_") or name == "content-type"
    }
    content_type = found.pop("content-type", CONTENT_TYPE)
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise DecodeError(
            Reason.BAD_HEADER,
            f"header content-type: {shorten(content_type)}, expected {CONTENT_TYPE!r}",
        )
    id_ = None if key is None else _utf8(key, "key", Reason.BAD_ID)
    if found:
        for name, expected in (("ce_specversion", "1.0"), ("ce_type", type_)):
            if found.get(name) != expected:
                raise DecodeError(
                    Reason.BAD_HEADER,
                    f"header {name}: {shorten(found.get(name))}, expected {expected!r}",
                )
        if "ce_time" in found and not RFC_3339.fullmatch(found["ce_time"]):
            raise DecodeError(
                Reason.BAD_HEADER, f"header ce_time: {shorten(found['ce_time'])} is not RFC 3339"
            )
        for name in ("ce_id", "ce_source"):
            if not found.get(name):
                raise DecodeError(Reason.BAD_HEADER, f"header {name}: missing or empty")
        if id_ is not None and id_ != found["ce_id"]:
            raise DecodeError(
                Reason.BAD_ID,
                f"key: {shorten(id_)} is not the header ce_id {shorten(found['ce_id'])}",
            )
        id_ = found["ce_id"]
    if id_ is not None and not 0 < len(id_) <= MAX_ID_CHARACTERS:
        raise DecodeError(
            Reason.BAD_ID,
            f"key: {len(id_)} characters, between 1 and {MAX_ID_CHARACTERS} are allowed",
        )
    return id_


def _named(header: tuple[str, bytes | None]) -> tuple[str, bytes | None]:
    """Refuse a header whose name came with surrogates (PEP 383): it was no UTF-8."""
    name = header[0].encode("utf-8", "backslashreplace").decode()
    if name != header[0]:
        raise DecodeError(Reason.BAD_HEADER, f"header {shorten(name)}: its name is not valid UTF-8")
    return header


def _utf8(content: bytes | None, part: str, reason: Reason) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError as error:
        raise DecodeError(reason, f"{part}: byte {error.start} is not valid UTF-8") from error
