"""Options of ``python -m consumer inspect``."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from consumer.settings.shared import RecordSettings
from newsreel.events.topics import DOCUMENTS, PATTERN


class InspectSettings(RecordSettings):
    """Look at some records of a topic: what they hold, and the options that read them.

    Nothing is changed: no group is joined, and no offset is committed.
    """

    model_config = SettingsConfigDict(
        env_prefix="CONSUMER_INSPECT_", cli_prog_name="python -m consumer inspect"
    )

    topic: str = Field(DOCUMENTS, pattern=PATTERN, description="topic to look at")
    sample: int = Field(
        1000, ge=1, description="records to read: the first and the last ones of each partition"
    )

    @property
    def command(self) -> dict[str, str]:
        """Given options that the consumer needs as well."""
        given = {
            "--bootstrap-servers": self.bootstrap_servers,
            "--schema-registry": self.schema_registry,
            "--schema-registry-user": self.schema_registry_user,
            "--label-map": self.label_map,
        }
        default = type(self).model_fields["bootstrap_servers"].default
        return {name: str(value) for name, value in given.items() if value not in {None, default}}
