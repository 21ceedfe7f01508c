"""The parts that all records share: key, value and headers, and the rules for their values."""

from dataclasses import dataclass
from datetime import datetime
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

MAX_RECORD_BYTES = 1 << 20
"""Largest value of a record, in bytes: Kafka brokers accept no larger one by default."""

MAX_LABEL_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record: key, value and headers."""

    key: bytes
    value: bytes
    headers: Headers


class RecordValue(BaseModel):
    """The JSON value of a record: fields are not converted, unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid")


def _rfc_3339(time: object) -> object:
    """Refuse what pydantic accepts beyond RFC 3339: numbers, and offsets with seconds."""
    if time is None or isinstance(time, datetime):
        return time
    if isinstance(time, str) and cloudevents.RFC_3339.fullmatch(time):
        return time
    raise ValueError("should be RFC 3339, such as 1993-04-05T12:00:00Z")


LabelText = Annotated[str, Field(min_length=1, max_length=MAX_LABEL_CHARACTERS)]

OptionalTime = Annotated[
    AwareDatetime | None,
    Field(description="time of the event, RFC 3339 with an offset"),
    Strict(False),
    BeforeValidator(_rfc_3339),
]


def check_size(value: bytes) -> None:
    """Refuse a value that is larger than a record may be.

    Raises
    ------
    ValueError
    """
    if len(value) > MAX_RECORD_BYTES:
        raise ValueError(f"value: {len(value)} bytes, at most {MAX_RECORD_BYTES} are allowed")


def explain(error: ValidationError) -> str:
    """Return a one-line message of the first error in a record's value."""
    first = error.errors(include_url=False, include_input=False)[0]
    part = ".".join(str(step) for step in first["loc"]) or "value"
    message = f"{part}: {first['msg']}"
    return " ".join(message.splitlines())
