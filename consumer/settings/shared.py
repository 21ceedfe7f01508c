"""Options that commands of the consumer share: of HTTP, and of the records of a topic."""

from functools import partial
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import CliSuppress

from consumer.records.config import FormatName, RecordConfig, RegistryConfig
from newsreel.common.secrets import secret
from newsreel.common.settings import KafkaSettings, shared_names


class HttpSettings(KafkaSettings):
    """Serve HTTP beside reading from Kafka."""

    http_host: str = Field(
        "127.0.0.1", description="address to serve HTTP on, IPv4 or IPv6; :: is every address"
    )
    http_token: CliSuppress[SecretStr | None] = Field(
        None, min_length=1, description="bearer token for every request but health checks"
    )
    http_token_file: Path | None = Field(
        None,
        description="file with the bearer token for every request but health checks; or set"
        " CONSUMER_HTTP_TOKEN (for evaluate --watch, CONSUMER_EVALUATE_HTTP_TOKEN); without a token"
        " every request is answered",
    )

    @model_validator(mode="after")
    def _read_token(self) -> Self:
        self.http_token = secret(self.http_token, self.http_token_file, "http-token")
        if self.http_token and not self.http_token.get_secret_value().isascii():
            raise ValueError("the token has characters that no header can carry: use ASCII only")
        return self


_names = partial(shared_names, prefix="CONSUMER")
"""Flag and variable of an option that is the same for all commands of the consumer."""


class RecordSettings(KafkaSettings):
    """Say where text and label are in a record; the variables are the same for all commands."""

    format: FormatName = Field(
        "json",
        validation_alias=_names("format"),
        description="format of a record's value: json; text: the value is the text; avro, or"
        " json-registry: behind the number of a schema, as clients of a schema registry write it",
    )
    text_field: str | None = Field(
        None,
        validation_alias=_names("text-field"),
        min_length=1,
        description="place of the text: a field of the JSON, a path such as payload.after.body,"
        " header:NAME, key, or value (all of it); several, separated by commas, are joined by a"
        " blank line; default: text, or value with --format text",
    )
    label_field: str | None = Field(
        None,
        validation_alias=_names("label-field"),
        min_length=1,
        description="place of the label, named in the same way; default: label, or header:label"
        " with --format text",
    )
    id_field: str | None = Field(
        None,
        validation_alias=_names("id-field"),
        min_length=1,
        description="place of an id that is unique; none: the position of the record; default: the"
        " id of the CloudEvent, else the key if it is text, else the position",
    )
    time_field: str | None = Field(
        None,
        validation_alias=_names("time-field"),
        min_length=1,
        description="place of the document's time; default: time",
    )
    strict_fields: bool = Field(
        False,
        validation_alias=_names("strict-fields"),
        description="make dead letters of records with fields that no option names",
    )
    label_map: Path | None = Field(
        None,
        validation_alias=_names("label-map"),
        description="file that renames and merges labels: a JSON object of new names by old names;"
        " documents whose new name is null count as unlabelled",
    )
    schema_registry: str | None = Field(
        None,
        validation_alias=_names("schema-registry"),
        min_length=1,
        description="URL of the schema registry, for --format avro",
    )
    schema_registry_user: str | None = Field(
        None,
        validation_alias=_names("schema-registry-user"),
        min_length=1,
        description="user name for the schema registry, if it asks for one",
    )
    schema_registry_password: CliSuppress[SecretStr | None] = Field(
        None,
        validation_alias=_names("schema-registry-password"),
        min_length=1,
        description="password of that user",
    )
    schema_registry_password_file: Path | None = Field(
        None,
        validation_alias=_names("schema-registry-password-file"),
        description="file with the password of that user; or set CONSUMER_SCHEMA_REGISTRY_PASSWORD",
    )

    @property
    def records(self) -> RecordConfig:
        """Format of the records, and places of their parts."""
        password = self.schema_registry_password
        registry = self.schema_registry and RegistryConfig(
            self.schema_registry,
            self.schema_registry_user,
            password.get_secret_value() if password else None,
        )
        return RecordConfig(
            self.format,
            self.text_field,
            self.label_field,
            self.id_field,
            self.time_field,
            self.strict_fields,
            self.label_map,
            registry or None,
        )

    @model_validator(mode="after")
    def _check_registry(self) -> Self:
        self.schema_registry_password = secret(
            self.schema_registry_password,
            self.schema_registry_password_file,
            "schema-registry-password",
        )
        if self.format == "avro" and self.schema_registry is None:
            raise ValueError("--format avro needs the address of --schema-registry")
        if self.format != "avro" and self.schema_registry is not None:
            raise ValueError("--schema-registry has no effect without --format avro")
        return self
