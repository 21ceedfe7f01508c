"""The options that every program has: where Kafka is, and how to be let in."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, CliSuppress, SettingsConfigDict

from newsreel.common.kafka import Connection


def _names(option: str) -> AliasChoices:
    """Kafka's options have variables of their own: one serves producer, consumer and tests."""
    return AliasChoices(option, f"KAFKA_{option.replace('-', '_').upper()}")


class KafkaSettings(BaseSettings):
    """Reach Kafka."""

    model_config = SettingsConfigDict(
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_implicit_flags=True,
        cli_kebab_case=True,
        hide_input_in_errors=True,  # some of it is secret
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
        description="certificates (PEM) that brokers are trusted by; the system's if not given",
    )
    ssl_certfile: Path | None = Field(
        None,
        validation_alias=_names("ssl-certfile"),
        description="certificate (PEM) to show to brokers that ask for one",
    )
    ssl_keyfile: Path | None = Field(
        None,
        validation_alias=_names("ssl-keyfile"),
        description="its private key (PEM, not encrypted), where that is in a file of its own",
    )
    ssl_check_hostname: bool = Field(
        True,
        validation_alias=_names("ssl-check-hostname"),
        description="whether a broker's certificate must bear its host's name",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None,
        validation_alias=_names("sasl-mechanism"),
        description="how user name and password are told",
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
    def connection(self) -> Connection:
        """What a Kafka client needs to know."""
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
        """Refuse what would be without effect: who asks for security must not go without."""
        self.sasl_password = secret(self.sasl_password, self.sasl_password_file, "sasl-password")
        files = [self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile]
        words = [self.sasl_mechanism, self.sasl_username, self.sasl_password]
        for kind, given, used in (("SSL", files, self._tls), ("SASL", words, self._sasl)):
            if any(it is not None for it in given) and not used:
                raise ValueError(
                    f"--{kind.lower()}-... (or KAFKA_{kind}_...) is of no use with"
                    f" --security-protocol (or KAFKA_SECURITY_PROTOCOL) {self.security_protocol};"
                    f" choose one with {kind} in its name"
                )
        if self._sasl and not all(words):
            raise ValueError(
                f"{self.security_protocol} needs --sasl-mechanism, --sasl-username and"
                " --sasl-password-file (or KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and"
                " KAFKA_SASL_PASSWORD)"
            )
        if self._tls:
            self._try_files()
        return self

    def _try_files(self) -> None:
        """Refuse certificates that can't be used, which a client would take for an outage."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ssl_cafile is not None:
            with _naming("ssl-cafile", self.ssl_cafile):
                context.load_verify_locations(self.ssl_cafile)
        if self.ssl_certfile is not None:
            with _naming("ssl-certfile", self.ssl_certfile, self.ssl_keyfile):
                # Without a password, an encrypted key would be asked for on the terminal.
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, lambda: "")
        elif self.ssl_keyfile is not None:
            raise ValueError("--ssl-keyfile is the key of --ssl-certfile, which is missing")


def secret(given: SecretStr | None, file: Path | None, option: str) -> SecretStr | None:
    """Return a secret that is given itself, or by a file that holds nothing else.

    Raises
    ------
    ValueError
        It is given both ways, or the file can't be read. Neither it nor the file's name, for which
        it may have been mistaken, is told.
    """
    if file is None:
        return given
    if given is not None:
        raise ValueError(f"the secret of --{option}-file is also in the environment; choose one")
    try:
        text = file.read_text().strip("\r\n")
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or "it is not text"
        raise ValueError(f"--{option}-file can't be read: {why}") from None
    if not text:
        raise ValueError(f"--{option}-file is empty")
    if "\n" in text:
        raise ValueError(f"--{option}-file has several lines; the secret is all it may hold")
    return SecretStr(text)


@contextmanager
def _naming(option: str, *files: Path | None) -> Iterator[None]:
    """Say which files can't be used."""
    try:
        yield
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or type(error).__name__
        names = " and ".join(repr(str(file)) for file in files if file is not None)
        raise ValueError(f"--{option}: {names} can't be used ({why})") from error
