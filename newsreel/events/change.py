"""Ground truth of a simulated stream on the wire: what changed, when, how. One Kafka record each.

===========  ==========================================================================
part         content
===========  ==========================================================================
key          name of the scenario, UTF-8
value        JSON object: ``scenario``, ``what``, ``documents`` (how many of the stream came
             before), ``time`` (RFC 3339, when it was published), ``details`` (an object)
headers      as of a document, with ``ce_type`` ``newsreel.change``
===========  ==========================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from newsreel.events import cloudevents
from newsreel.events.document import Record

CE_TYPE = "newsreel.change"


@dataclass(frozen=True, slots=True)
class Change:
    """From here on, the stream is another; ``what`` is a word or two, ``details`` fit for JSON."""

    scenario: str
    what: str
    details: Mapping[str, Any] = field(default_factory=dict)


class ChangeValue(BaseModel):
    """The JSON value of a change's record."""

    model_config = ConfigDict(strict=True, extra="forbid")

    scenario: str
    what: str
    documents: int = Field(ge=0)
    time: AwareDatetime = Field(strict=False)
    details: dict[str, Any]


def encode(change: Change, documents: int, source: str, time: datetime) -> Record:
    """Write a change as a record.

    Parameters
    ----------
    documents
        How many documents of the stream were published before it.
    source
        As of the documents.
    time
        When it is published.
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
    """Read the value of a record.

    Raises
    ------
    ValueError
        It is no change.
    """
    return ChangeValue.model_validate_json(value)
