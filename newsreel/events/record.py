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
from newsreel.events.errors import SHOWN_CHARACTERS, DecodeError, Reason

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


def value_text(value: bytes | None) -> str:
    """Decode a record's value as UTF-8.

    Raises
    ------
    DecodeError
        The value is missing, too large or not UTF-8.
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


def explain(error: ValidationError, value: type[RecordValue]) -> tuple[Reason, str]:
    """Return the reason and the one-line message of the first error in a record's value.

    Parameters
    ----------
    error
        Error of pydantic.
    value
        Class that the record's value was validated by.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    part = ".".join(str(step) for step in first["loc"]) or "value"
    if first["type"] == "json_invalid":
        return Reason.NOT_JSON, f"value: {first['msg']}"
    if first["type"] == "extra_forbidden":
        known = ", ".join(value.model_fields)
        return Reason.WRONG_SHAPE, f"{part[:SHOWN_CHARACTERS]}: unknown field (known are {known})"
    if part == "text" and first["type"] == "string_too_short":
        return Reason.EMPTY_TEXT, "text: it is empty"
    if part == "label" and first["type"] in {"string_too_short", "string_too_long"}:
        return Reason.LABEL_LENGTH, f"label: {first['msg']}"
    return Reason.WRONG_SHAPE, f"{part[:SHOWN_CHARACTERS]}: {first['msg']}"
