"""A label that comes later than its document: one Kafka record on a topic of its own.

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
from newsreel.events.document import LabelText, MomentText, Record, Strictly, explain, text_of
from newsreel.events.errors import DecodeError, EncodeError, Reason

CE_TYPE = "newsreel.label"


class LabelValue(Strictly):
    """The JSON value of a label's record."""

    label: LabelText
    time: MomentText = None


@dataclass(frozen=True, slots=True)
class Label:
    """What a document of that id is, and since when that is known, where it is said."""

    id: str
    label: str
    time: datetime | None = None


def encode(label: Label, source: str) -> Record:
    """Write a label as a record.

    Raises
    ------
    EncodeError
        It breaks the contract: `decode` would refuse it.
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
    """Read a record strictly.

    Raises
    ------
    DecodeError
        With the `Reason`, and a message that names the offending part.
    """
    text = text_of(value)
    id_ = cloudevents.identity(key, headers, CE_TYPE)
    if id_ is None:
        raise DecodeError(Reason.BAD_ID, "key: a label needs the id of its document")
    try:
        parsed = LabelValue.model_validate_json(text)
    except ValidationError as error:
        raise DecodeError(*explain(error, LabelValue)) from error
    return Label(id_, parsed.label, parsed.time)
