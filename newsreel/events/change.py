"""A change that a scenario made to a simulated stream: one Kafka record, the ground truth.

===========  ==========================================================================
part         content
===========  ==========================================================================
key          name of the scenario, UTF-8
value        JSON object: ``scenario``, ``what``, ``documents`` (number of documents of the stream
             before the change), ``time`` (RFC 3339, of publishing), ``details`` (an object)
headers      as of a document, with ``ce_type`` ``newsreel.change``
===========  ==========================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import AwareDatetime, Field

from newsreel.events import cloudevents
from newsreel.events.record import Record, RecordValue

CE_TYPE = "newsreel.change"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the stream before its next document.

    Parameters
    ----------
    scenario
        Name of the scenario that made the change.
    what
        One or two words for the kind of change.
    details
        Values that JSON can hold, such as the labels that changed.
    """

    scenario: str
    what: str
    details: Mapping[str, Any] = field(default_factory=dict)


class ChangeValue(RecordValue):
    """The JSON value of a change record."""

    scenario: str
    what: str
    documents: int = Field(ge=0)
    time: AwareDatetime = Field(strict=False)
    details: dict[str, Any]


def encode(change: Change, documents: int, source: str, time: datetime) -> Record:
    """Encode a change as a record.

    Parameters
    ----------
    change
        Change to encode.
    documents
        Number of documents of the stream that were published before the change.
    source
        URI reference of the stream's origin (CloudEvents ``source``).
    time
        Time of publishing.
    """
    value = ChangeValue(
        scenario=change.scenario,
        what=change.what,
        documents=documents,
        time=time,
        details=dict(change.details),
    )
    headers = cloudevents.attributes(str(uuid4()), source, time, CE_TYPE)
    return Record(change.scenario.encode(), value.model_dump_json().encode(), headers)


def decode(value: bytes) -> ChangeValue:
    """Decode the value of a change record.

    Raises
    ------
    ValueError
        The value is not that of a change.
    """
    return ChangeValue.model_validate_json(value)
