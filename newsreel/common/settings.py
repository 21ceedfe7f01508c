"""Options of every program: the address of Kafka and the security of its connection."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, CliSuppress, SettingsConfigDict

if TYPE_CHECKING:
    from newsreel.common.kafka import Connection


def _names(option: str) -> AliasChoices:
    """Return the flag of a Kafka option and its variable, the same for all programs."""
    return AliasChoices(option, f"KAFKA_{option.replace('-', '_').upper()}")


class KafkaSettings(BaseSettings):
    """Connect to Kafka."""

    model_config = SettingsConfigDict(
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_implicit_flags=True,
        cli_kebab_case=True,
        hide_input_in_errors=True,  # some values are secret
    )

    bootstrap_servers: str = Field(
        "localhost:9092",
        validation_alias=_names("bootstrap-servers"),
        description="Kafka brokers, host:port, comma-separated",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        validation_alias=_names("security-protocol"),
        description="SSL: over TLS; SASL: with a user name and a password",
    )
    ssl_cafile: Path | None = Field(
        None,
        validation_alias=_names("ssl-cafile"),
        description="certificates (PEM) of trusted authorities; the system's if not given",
    )
    ssl_certfile: Path | None = Field(
        None,
        validation_alias=_names("ssl-certfile"),
        description="client certificate (PEM), for brokers that ask for one",
    )
    ssl_keyfile: Path | None = Field(
        None,
        validation_alias=_names("ssl-keyfile"),
        description="private key (PEM, not encrypted) of that certificate, if in another file",
    )
    ssl_check_hostname: bool = Field(
        True,
        validation_alias=_names("ssl-check-hostname"),
        description="whether a broker's certificate must name the broker's host",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None,
        validation_alias=_names("sasl-mechanism"),
        description="how user name and password are sent",
    )
    sasl_username: str | None = Field(
        None, validation_alias=_names("sasl-username"), description="user name"
    )
    sasl_password: CliSuppress[SecretStr | None] = Field(
        None,
        validation_alias=_names("sasl-password"),
        description="password",
    )
    sasl_password_file: Path | None = Field(
        None,
        validation_alias=_names("sasl-password-file"),
        description="file with the password; or set KAFKA_SASL_PASSWORD",
    )

    @property
    def connection(self) -> "Connection":
        """Address and security options for Kafka clients."""
        from newsreel.common.kafka import Connection  # noqa: PLC0415 - Kafka's client takes 0.2 s

        security: dict[str, Any] = {}
        if self.security_protocol != "PLAINTEXT":
            security["security_protocol"] = self.security_protocol
        if self._tls:
            security["ssl_check_hostname"] = self.ssl_check_hostname
            for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
                if (file := getattr(self, name)) is not None:
                    security[name] = str(file)
        if self._sasl and self.sasl_password is not None:
            security["sasl_mechanism"] = self.sasl_mechanism
            security["sasl_plain_username"] = self.sasl_username
            security["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return Connection(self.bootstrap_servers, security)

    @property
    def _tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def _sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Refuse security options without effect: the user would believe the connection secure."""
        self.sasl_password = secret(self.sasl_password, self.sasl_password_file, "sasl-password")
        files = [self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile]
        credentials = [self.sasl_mechanism, self.sasl_username, self.sasl_password]
        for kind, given, used in (("SSL", files, self._tls), ("SASL", credentials, self._sasl)):
            if any(option is not None for option in given) and not used:
                raise ValueError(
                    f"--{kind.lower()}-... (or KAFKA_{kind}_...) has no effect with"
                    f" --security-protocol (or KAFKA_SECURITY_PROTOCOL) {self.security_protocol};"
                    f" choose one with {kind} in its name"
                )
        if self._sasl and not all(credentials):
            raise ValueError(
                f"{self.security_protocol} needs --sasl-mechanism, --sasl-username and"
                " --sasl-password-file (or KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and"
                " KAFKA_SASL_PASSWORD)"
            )
        if self._tls:
            self._check_files()
        return self

    def _check_files(self) -> None:
        """Refuse unusable certificates; a Kafka client would report them as an outage."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ssl_cafile is not None:
            with _certificate_errors("ssl-cafile", self.ssl_cafile):
                context.load_verify_locations(self.ssl_cafile)
        if self.ssl_certfile is not None:
            with _certificate_errors("ssl-certfile", self.ssl_certfile, self.ssl_keyfile):
                # The empty password keeps OpenSSL from asking for one on the terminal.
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, lambda: "")
        elif self.ssl_keyfile is not None:
            raise ValueError("--ssl-keyfile is the key of --ssl-certfile, which is missing")


def secret(given: SecretStr | None, file: Path | None, option: str) -> SecretStr | None:
    """Return a secret from its own option or from a file.

    Parameters
    ----------
    given
        The secret itself, from an environment variable.
    file
        Path of a file that contains only the secret.
    option
        Name of the secret's option.

    Raises
    ------
    ValueError
        The secret is given both ways, or the file can't be read. The message shows neither the
        secret nor the name of the file: a user may have given the secret in place of the name.
    """
    if file is None:
        return given
    if given is not None:
        raise ValueError(f"the secret of --{option}-file is also in the environment; choose one")
    try:
        text = file.read_text().strip("\r\n")
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "the file is not text"
        raise ValueError(f"--{option}-file can't be read: {reason}") from None
    if not text:
        raise ValueError(f"--{option}-file is empty")
    if "\n" in text:
        raise ValueError(f"--{option}-file has several lines; it may contain only the secret")
    return SecretStr(text)


@contextmanager
def _certificate_errors(option: str, *files: Path | None) -> Iterator[None]:
    """Turn errors of OpenSSL into messages that name the option and its files."""
    try:
        yield
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        names = " and ".join(repr(str(file)) for file in files if file is not None)
        raise ValueError(f"--{option}: {names} can't be used ({reason})") from error
