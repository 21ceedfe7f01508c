"""A document on the wire: one Kafka record, in CloudEvents 1.0 binary mode.

===========  ==========================================================================
part         content
===========  ==========================================================================
key          document id, UTF-8
value        JSON object: ``text``, optional ``label``, optional ``time`` (RFC 3339)
headers      ``ce_specversion``, ``ce_id``, ``ce_source``, ``ce_type``, ``ce_time``,
             ``content-type``
===========  ==========================================================================

A record without any ``ce_`` header is accepted as well, so that anything which writes JSON to
Kafka can feed newsreel; where such headers are present they must be right.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

MAX_RECORD_BYTES = 1 << 20
"""Largest value of a record, in bytes: what Kafka brokers take by default."""
MAX_LABEL_CHARACTERS = 256
MAX_ID_CHARACTERS = 1024
CE_TYPE = "newsreel.document"
CONTENT_TYPE = "application/json"

Headers = list[tuple[str, bytes]]


class Reason(StrEnum):
    """Why a record can't be used: a closed set, fit for a metric label."""

    TOO_LARGE = "too_large"
    NO_VALUE = "no_value"
    BAD_ID = "bad_id"
    BAD_HEADER = "bad_header"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    WRONG_SHAPE = "wrong_shape"
    EMPTY_TEXT = "empty_text"
    LABEL_LENGTH = "label_length"
    LABEL_LIMIT = "label_limit"


class DecodeError(ValueError):
    """A record breaks the wire contract; the message says where and how."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class EncodeError(ValueError):
    """A document can't be written as a record; the message says where and why."""


class DocumentValue(BaseModel):
    """The JSON value of a document record. Its JSON Schema is `docs/document.schema.json`."""

    model_config = ConfigDict(strict=True, extra="forbid", title="newsreel document")

    text: Annotated[str, Field(min_length=1, description="what the model reads")]
    label: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_LABEL_CHARACTERS,
            description="its class; absent or null where it is not known",
        ),
    ] = None
    time: Annotated[
        AwareDatetime | None, Field(description="when it came about, RFC 3339 with an offset")
    ] = None


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its id, and its label and time where they are known."""

    id: str
    text: str
    label: str | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What Kafka carries: key, value and headers."""

    key: bytes
    value: bytes
    headers: Headers


def encode(document: Document, source: str) -> Record:
    """Write a document as a record.

    Parameters
    ----------
    document
        Its ``time`` is also the event's; now, where it has none.
    source
        URI reference of where the document comes from (CloudEvents ``source``).

    Raises
    ------
    EncodeError
        The document breaks the contract: `decode` would refuse it.
    """
    time = (document.time or datetime.now(UTC)).isoformat()
    try:
        value = DocumentValue(text=document.text, label=document.label, time=document.time)
        payload = value.model_dump_json(exclude_none=True).encode()
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", document.id.encode()),
            ("ce_source", source.encode()),
            ("ce_type", CE_TYPE.encode()),
            ("ce_time", time.encode()),
            ("content-type", CONTENT_TYPE.encode()),
        ]
        record = Record(document.id.encode(), payload, headers)
        decode(record.key, record.value, record.headers, default_id=document.id)
    except ValidationError as error:
        raise EncodeError(f"document {document.id!r}: {_explain(error)[1]}") from error
    except ValueError as error:
        raise EncodeError(f"document {document.id!r}: {error}") from error
    return record


def decode(
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    *,
    default_id: str,
) -> Document:
    """Read a record strictly.

    Parameters
    ----------
    key, value, headers
        As Kafka delivers them.
    default_id
        Id of a document whose record has neither a key nor a ``ce_id``.

    Raises
    ------
    DecodeError
        With the `Reason`, and a message that names the offending part.
    """
    if value is None:
        raise DecodeError(Reason.NO_VALUE, "the record has no value (a tombstone)")
    if len(value) > MAX_RECORD_BYTES:
        raise DecodeError(
            Reason.TOO_LARGE, f"value: {len(value)} bytes, at most {MAX_RECORD_BYTES} are allowed"
        )
    document_id = _identity(key, headers) or default_id
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(
            Reason.NOT_UTF8, f"value: byte {error.start} is not valid UTF-8"
        ) from error
    try:
        parsed = DocumentValue.model_validate_json(text)
    except ValidationError as error:
        raise DecodeError(*_explain(error)) from error
    if not parsed.text.strip():
        raise DecodeError(Reason.EMPTY_TEXT, "text: it is empty")
    return Document(document_id, parsed.text, parsed.label, parsed.time)


def _identity(key: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Document id from key and CloudEvents attributes, which must agree."""
    attributes = {
        name: _utf8(content, f"header {name}", Reason.BAD_HEADER)
        for name, content in headers
        if name.startswith("ce_") or name == "content-type"
    }
    content_type = attributes.pop("content-type", CONTENT_TYPE)
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise DecodeError(
            Reason.BAD_HEADER, f"header content-type: {content_type!r}, expected {CONTENT_TYPE!r}"
        )
    identity = None if key is None else _utf8(key, "key", Reason.BAD_ID)
    if attributes:
        for name, expected in (("ce_specversion", "1.0"), ("ce_type", CE_TYPE)):
            if attributes.get(name) != expected:
                raise DecodeError(
                    Reason.BAD_HEADER,
                    f"header {name}: {attributes.get(name)!r}, expected {expected!r}",
                )
        for name in ("ce_id", "ce_source"):
            if not attributes.get(name):
                raise DecodeError(Reason.BAD_HEADER, f"header {name}: missing or empty")
        if identity is not None and identity != attributes["ce_id"]:
            raise DecodeError(
                Reason.BAD_ID,
                f"key: {identity[:80]!r} is not the header ce_id {attributes['ce_id'][:80]!r}",
            )
        identity = attributes["ce_id"]
    if identity is not None and not 0 < len(identity) <= MAX_ID_CHARACTERS:
        raise DecodeError(
            Reason.BAD_ID,
            f"key: {len(identity)} characters, between 1 and {MAX_ID_CHARACTERS} are allowed",
        )
    return identity


def _utf8(content: bytes | None, part: str, reason: Reason) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError as error:
        raise DecodeError(reason, f"{part}: byte {error.start} is not valid UTF-8") from error


def _explain(error: ValidationError) -> tuple[Reason, str]:
    """Turn the first complaint of pydantic into a reason and one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    part = ".".join(str(step) for step in first["loc"]) or "value"
    if first["type"] == "json_invalid":
        return Reason.NOT_JSON, f"value: {first['msg']}"
    if first["type"] == "extra_forbidden":
        known = ", ".join(DocumentValue.model_fields)
        return Reason.WRONG_SHAPE, f"{part[:80]}: unknown field (known are {known})"
    if part == "text" and first["type"] == "string_too_short":
        return Reason.EMPTY_TEXT, "text: it is empty"
    if part == "label" and first["type"] in {"string_too_short", "string_too_long"}:
        return Reason.LABEL_LENGTH, f"label: {first['msg']}"
    return Reason.WRONG_SHAPE, f"{part[:80]}: {first['msg']}"


if __name__ == "__main__":
    print(json.dumps(DocumentValue.model_json_schema(), indent=2))  # noqa: T201
