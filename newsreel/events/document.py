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
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
)

from newsreel.events import cloudevents
from newsreel.events.cloudevents import Headers
from newsreel.events.errors import SHOWN_CHARACTERS, DecodeError, EncodeError, Reason

MAX_RECORD_BYTES = 1 << 20
"""Largest value of a record, in bytes: what Kafka brokers take by default."""

MAX_LABEL_CHARACTERS = 256


def _rfc_3339(time: object) -> object:
    """Refuse what pydantic would take beyond RFC 3339: numbers, and offsets with seconds."""
    if time is None or isinstance(time, datetime):
        return time
    if isinstance(time, str) and cloudevents.RFC_3339.fullmatch(time):
        return time
    raise ValueError("should be RFC 3339, such as 1993-04-05T12:00:00Z")


LabelText = Annotated[str, Field(min_length=1, max_length=MAX_LABEL_CHARACTERS)]

MomentText = Annotated[
    AwareDatetime | None,
    Field(description="when it came about, RFC 3339 with an offset"),
    Strict(False),
    BeforeValidator(_rfc_3339),
]


class Strictly(BaseModel):
    """The JSON value of a record: no field is converted, none is unknown."""

    model_config = ConfigDict(strict=True, extra="forbid")


class DocumentValue(Strictly):
    """The JSON value of a document record. Its JSON Schema is `docs/document.schema.json`."""

    model_config = ConfigDict(title="newsreel document")

    text: Annotated[str, Field(min_length=1, description="what the model reads")]
    label: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_LABEL_CHARACTERS,
            description="its class; absent or null where it is not known",
        ),
    ] = None
    time: MomentText = None


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
    try:
        payload = encode_value(document)
        headers = cloudevents.attributes(
            document.id, source, _moment(document) or datetime.now(UTC)
        )
        record = Record(document.id.encode(), payload, headers)
        decode(record.key, record.value, record.headers, default_id=document.id)
    except ValidationError as error:
        raise EncodeError(
            f"document {document.id!r}: {explain(error, DocumentValue)[1]}"
        ) from error
    except (ValueError, OverflowError) as error:
        raise EncodeError(f"document {document.id!r}: {error}") from error
    return record


def encode_value(document: Document) -> bytes:
    """Write a document's JSON, without looking whether all of `decode`'s rules hold.

    Raises
    ------
    ValueError
        A field is of the wrong kind.
    """
    value = DocumentValue(text=document.text, label=document.label, time=_moment(document))
    return value.model_dump_json(exclude_none=True).encode()


def _moment(document: Document) -> datetime | None:
    moment = document.time
    if moment and (moment.utcoffset() or timedelta()) % timedelta(minutes=1):
        return moment.astimezone(UTC)  # RFC 3339 has no seconds in an offset
    return moment


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
    text = text_of(value)
    document_id = cloudevents.identity(key, headers) or default_id
    try:
        parsed = DocumentValue.model_validate_json(text)
    except ValidationError as error:
        raise DecodeError(*explain(error, DocumentValue)) from error
    if not parsed.text.strip():
        raise DecodeError(Reason.EMPTY_TEXT, "text: it is empty")
    return Document(document_id, parsed.text, parsed.label, parsed.time)


def text_of(value: bytes | None) -> str:
    """Read a record's value as text.

    Raises
    ------
    DecodeError
        There is none, or it is too large, or no text.
    """
    if value is None:
        raise DecodeError(Reason.NO_VALUE, "the record has no value (a tombstone)")
    if len(value) > MAX_RECORD_BYTES:
        raise DecodeError(
            Reason.TOO_LARGE, f"value: {len(value)} bytes, at most {MAX_RECORD_BYTES} are allowed"
        )
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(
            Reason.NOT_UTF8, f"value: byte {error.start} is not valid UTF-8"
        ) from error


def explain(error: ValidationError, of: type[BaseModel]) -> tuple[Reason, str]:
    """Turn the first complaint of pydantic about a record's value into a reason and one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    part = ".".join(str(step) for step in first["loc"]) or "value"
    if first["type"] == "json_invalid":
        return Reason.NOT_JSON, f"value: {first['msg']}"
    if first["type"] == "extra_forbidden":
        known = ", ".join(of.model_fields)
        return Reason.WRONG_SHAPE, f"{part[:SHOWN_CHARACTERS]}: unknown field (known are {known})"
    if part == "text" and first["type"] == "string_too_short":
        return Reason.EMPTY_TEXT, "text: it is empty"
    if part == "label" and first["type"] in {"string_too_short", "string_too_long"}:
        return Reason.LABEL_LENGTH, f"label: {first['msg']}"
    return Reason.WRONG_SHAPE, f"{part[:SHOWN_CHARACTERS]}: {first['msg']}"


if __name__ == "__main__":
    print(json.dumps(DocumentValue.model_json_schema(), indent=2))  # noqa: T201
