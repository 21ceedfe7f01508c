"""A document on the wire: one Kafka record, in CloudEvents 1.0 binary mode.

===========  ==========================================================================
part         content
===========  ==========================================================================
key          document id, UTF-8
value        JSON object: ``text``, optional ``label``, optional ``time`` (RFC 3339)
headers      ``ce_specversion``, ``ce_id``, ``ce_source``, ``ce_type``, ``ce_time``,
             ``content-type``
===========  ==========================================================================

A record without any ``ce_`` header is accepted as well, so that any program that writes JSON to
Kafka can feed newsreel. If a record has such headers, they must be right.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError

from newsreel.events import cloudevents
from newsreel.events.errors import DecodeError, EncodeError, Reason
from newsreel.events.record import (
    MAX_LABEL_CHARACTERS,
    OptionalTime,
    Record,
    RecordValue,
    explain,
    value_text,
)


class DocumentValue(RecordValue):
    """The JSON value of a document record. Its JSON Schema is `docs/document.schema.json`."""

    model_config = ConfigDict(title="newsreel document")

    text: Annotated[str, Field(min_length=1, description="text that the model reads")]
    label: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_LABEL_CHARACTERS,
            description="class of the document; absent or null if unknown",
        ),
    ] = None
    time: OptionalTime = None


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its id, and with its label and time if they are known.

    Examples
    --------
    >>> record = encode(Document("7", "Mars has two moons", "space"), source="docs")
    >>> decode(record.key, record.value, record.headers, default_id="none")
    Document(id='7', text='Mars has two moons', label='space', time=None)
    """

    id: str
    text: str
    label: str | None = None
    time: datetime | None = None


def encode(document: Document, source: str) -> Record:
    """Encode a document as a record.

    Parameters
    ----------
    document
        Document to encode. A document without a time becomes an event of the present time.
    source
        URI reference of the document's origin (CloudEvents ``source``).

    Raises
    ------
    EncodeError
        The document breaks the contract: `decode` would refuse the record.
    """
    try:
        payload = encode_value(document)
        headers = cloudevents.attributes(
            document.id, source, _wire_time(document) or datetime.now(UTC)
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
    """Encode the JSON value of a document, without checking all rules of `decode`.

    Raises
    ------
    ValueError
        A field has the wrong type.
    """
    value = DocumentValue(text=document.text, label=document.label, time=_wire_time(document))
    return value.model_dump_json(exclude_none=True).encode()


def _wire_time(document: Document) -> datetime | None:
    time = document.time
    if time and (time.utcoffset() or timedelta()) % timedelta(minutes=1):
        return time.astimezone(UTC)  # RFC 3339 has no seconds in an offset
    return time


def decode(
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    *,
    default_id: str,
) -> Document:
    """Decode a document and check all rules of the contract.

    Parameters
    ----------
    key, value, headers
        Parts of the record, as Kafka delivers them.
    default_id
        Id of a document whose record has neither a key nor a ``ce_id``.

    Raises
    ------
    DecodeError
        The record breaks the contract; the error has a `Reason` and names the wrong part.
    """
    text = value_text(value)
    document_id = cloudevents.identity(key, headers) or default_id
    try:
        parsed = DocumentValue.model_validate_json(text)
    except ValidationError as error:
        raise DecodeError(*explain(error, DocumentValue)) from error
    if not parsed.text.strip():
        raise DecodeError(Reason.EMPTY_TEXT, "text: it is empty")
    return Document(document_id, parsed.text, parsed.label, parsed.time)


if __name__ == "__main__":
    print(json.dumps(DocumentValue.model_json_schema(), indent=2))  # noqa: T201
