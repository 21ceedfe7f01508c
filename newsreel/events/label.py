"""A label that arrives later than its document: one Kafka record on a separate topic.

===========  ==========================================================================
part         content
===========  ==========================================================================
key          id of the document, UTF-8
value        JSON object: ``label``, optional ``time`` (RFC 3339)
headers      as of a document, with ``ce_type`` ``newsreel.label``; may be absent
===========  ==========================================================================
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from newsreel.events import cloudevents
from newsreel.events.errors import EncodeError
from newsreel.events.record import (
    LabelText,
    OptionalTime,
    Record,
    RecordValue,
    explain,
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
        The label breaks the contract: it could not be read back.
    """
    try:
        cloudevents.check_id(label.id)
        cloudevents.check_source(source)
        value = LabelValue(label=label.label, time=label.time)
        headers = cloudevents.attributes(label.id, source, label.time or datetime.now(UTC), CE_TYPE)
    except ValidationError as error:
        raise EncodeError(f"label of {label.id!r}: {explain(error)}") from error
    except ValueError as error:
        raise EncodeError(f"label of {label.id!r}: {error}") from error
    return Record(label.id.encode(), value.model_dump_json(exclude_none=True).encode(), headers)
