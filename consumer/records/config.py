"""What the options say of the records of a topic."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FormatName = Literal["json", "text", "avro", "json-registry"]

NO_ID = "none"
"""Value of ``--id-field`` for records that have no id of their own."""


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """Address of a schema registry, and the user that it asks for."""

    url: str
    user: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class RecordConfig:
    """Where text, label, id and time are in a record; None stands for the default place."""

    format: FormatName = "json"
    """How the value is encoded."""
    text: str | None = None
    """Places of the text, separated by commas."""
    label: str | None = None
    """Place of the label."""
    id: str | None = None
    """Place of the id, or `NO_ID`."""
    time: str | None = None
    """Place of the time."""
    strict: bool = False
    """Whether a record with other fields is refused."""
    label_map: Path | None = None
    """File that renames labels."""
    registry: RegistryConfig | None = None
    """Schema registry, for the formats that need one."""
