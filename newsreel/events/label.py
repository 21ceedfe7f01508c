"""A label that arrives later than its document: one Kafka record on a separate topic.

===========  ==========================================================================
part         content
===========  ==========================================================================
key          id of the document, UTF-8
value        JSON object: ``label``, optional ``time`` (RFC 3339)
headers      as of a document, with ``ce_type`` ``newsreel.label``; may be absent
===========  ==========================================================================
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from newsreel.events import cloudevents
from newsreel.events.errors import DecodeError, EncodeError, Reason
from newsreel.events.record import (
    LabelText,
    OptionalTime,
    Record,
    RecordValue,
    explain,
    value_text,
)

CE_TYPE = "newsreel.label"


class LabelValue(RecordValue):
    """The JSON value of a label record."""

    label: LabelText
    time: OptionalTime = None


@dataclass(frozen=True, slots=True)
class Label:
    """The label of the document with an id, and the time of labelling if it is known."""

    id: str
    label: str
    time: datetime | None = None


def encode(label: Label, source: str) -> Record:
    """Encode a label as a record.

    Parameters
    ----------
    label
        Label to encode. A label without a time becomes an event of the present time.
    source
        URI reference of the label's origin (CloudEvents ``source``).

    Raises
    ------
    EncodeError
        The label breaks the contract: `decode` would refuse the record.
    """
    try:
        value = LabelValue(label=label.label, time=label.time)
        headers = cloudevents.attributes(label.id, source, label.time or datetime.now(UTC), CE_TYPE)
        record = Record(
            label.id.encode(), value.model_dump_json(exclude_none=True).encode(), headers
        )
        decode(record.key, record.value, record.headers)
    except ValueError as error:
        raise EncodeError(f"label of {label.id!r}: {error}") from error
    return record


def decode(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> Label:
    """Decode a label and check all rules of the contract.

    Parameters
    ----------
    key, value, headers
        Parts of the record, as Kafka delivers them.

    Raises
    ------
    DecodeError
        The record breaks the contract; the error has a `Reason` and names the wrong part.
    """
    text = value_text(value)
    document_id = cloudevents.identity(key, headers, CE_TYPE)
    if document_id is None:
        raise DecodeError(Reason.BAD_ID, "key: a label needs the id of its document")
    try:
        parsed = LabelValue.model_validate_json(text)
    except ValidationError as error:
        raise DecodeError(*explain(error, LabelValue)) from error
    return Label(document_id, parsed.label, parsed.time)
