"""A document on the wire: one Kafka record, in CloudEvents 1.0 binary mode.

===========  ==========================================================================
part         content
===========  ==========================================================================
key          document id, UTF-8
value        JSON object: ``text``, optional ``label``, optional ``time`` (RFC 3339)
headers      ``ce_specversion``, ``ce_id``, ``ce_source``, ``ce_type``, ``ce_time``,
             ``content-type``
===========  ==========================================================================

This is what newsreel writes. What it reads is much more: see `consumer.records`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError

from newsreel.events import cloudevents
from newsreel.events.errors import EncodeError
from newsreel.events.label_text import normalized
from newsreel.events.record import (
    MAX_LABEL_CHARACTERS,
    OptionalTime,
    Record,
    RecordValue,
    check_size,
    explain,
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
    >>> encode(Document("7", "Mars has two moons", "space"), source="docs").value
    b'{"text":"Mars has two moons","label":"space"}'
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
        The document breaks the contract: it could not be read back.
    """
    try:
        cloudevents.check_id(document.id)
        cloudevents.check_source(source)
        _check_blank(document)
        payload = encode_value(document)
        check_size(payload)
        headers = cloudevents.attributes(
            document.id, source, _wire_time(document) or datetime.now(UTC)
        )
    except ValidationError as error:
        raise EncodeError(f"document {document.id!r}: {explain(error)}") from error
    except (ValueError, OverflowError) as error:
        raise EncodeError(f"document {document.id!r}: {error}") from error
    return Record(document.id.encode(), payload, headers)


def _check_blank(document: Document) -> None:
    if not document.text.strip():
        raise ValueError("text: it is empty")
    if document.label is not None and not normalized(document.label):
        raise ValueError("label: it is blank")


def encode_value(document: Document) -> bytes:
    """Encode the JSON value of a document, without checking all rules of `encode`.

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


if __name__ == "__main__":
    print(json.dumps(DocumentValue.model_json_schema(), indent=2))  # noqa: T201
