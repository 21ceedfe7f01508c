"""Options of every program: the address of Kafka and the security of its connection."""

import shlex
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, CliSuppress, SettingsConfigDict

from newsreel.common import certificates
from newsreel.common.secrets import secret

if TYPE_CHECKING:
    from newsreel.common.kafka import Connection
    from newsreel.common.oauth import TokenProvider

BY_PASSWORD = ("sasl_username", "sasl_password")

BY_TOKEN = ("sasl_oauth_token", "sasl_oauth_token_file", "sasl_oauth_token_command")

BY_TICKET = ("sasl_kerberos_service_name", "sasl_kerberos_domain_name")


def shared_names(option: str, prefix: str = "KAFKA") -> AliasChoices:
    """Return the flag of an option and its variable, the same for several programs."""
    return AliasChoices(option, f"{prefix}_{option.replace('-', '_').upper()}")


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
        validation_alias=shared_names("bootstrap-servers"),
        description="Kafka brokers, host:port or [IPv6]:port, comma-separated",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        validation_alias=shared_names("security-protocol"),
        description="SSL: over TLS; SASL: a user signs in",
    )
    ssl_cafile: Path | None = Field(
        None,
        validation_alias=shared_names("ssl-cafile"),
        description="certificates (PEM) of trusted authorities; the system's if not given",
    )
    ssl_certfile: Path | None = Field(
        None,
        validation_alias=shared_names("ssl-certfile"),
        description="client certificate (PEM), for brokers that ask for one",
    )
    ssl_keyfile: Path | None = Field(
        None,
        validation_alias=shared_names("ssl-keyfile"),
        description="private key (PEM, not encrypted) of that certificate, if in another file",
    )
    ssl_check_hostname: bool = Field(
        True,
        validation_alias=shared_names("ssl-check-hostname"),
        description="whether a broker's certificate must name the broker's host",
    )
    sasl_mechanism: (
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] | None
    ) = Field(
        None,
        validation_alias=shared_names("sasl-mechanism"),
        description="how the user signs in: PLAIN and SCRAM by user name and password, OAUTHBEARER"
        " by a token, GSSAPI by a Kerberos ticket",
    )
    sasl_username: str | None = Field(
        None, validation_alias=shared_names("sasl-username"), description="user name"
    )
    sasl_password: CliSuppress[SecretStr | None] = Field(
        None,
        validation_alias=shared_names("sasl-password"),
        description="password",
    )
    sasl_password_file: Path | None = Field(
        None,
        validation_alias=shared_names("sasl-password-file"),
        description="file with the password; or set KAFKA_SASL_PASSWORD",
    )
    sasl_oauth_token: CliSuppress[SecretStr | None] = Field(
        None,
        validation_alias=shared_names("sasl-oauth-token"),
        description="token of OAUTHBEARER, for a run that is shorter than its life",
    )
    sasl_oauth_token_file: Path | None = Field(
        None,
        validation_alias=shared_names("sasl-oauth-token-file"),
        description="file with the token of OAUTHBEARER, read again for each connection",
    )
    sasl_oauth_token_command: str | None = Field(
        None,
        validation_alias=shared_names("sasl-oauth-token-command"),
        description="command that prints the token of OAUTHBEARER, run again for new connections;"
        " no shell reads it",
    )
    sasl_kerberos_service_name: str | None = Field(
        None,
        validation_alias=shared_names("sasl-kerberos-service-name"),
        description="name of Kafka's service principal, for GSSAPI; default: kafka",
    )
    sasl_kerberos_domain_name: str | None = Field(
        None,
        validation_alias=shared_names("sasl-kerberos-domain-name"),
        description="host of that principal; default: each broker's own",
    )

    @cached_property
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
        if self._sasl:
            security["sasl_mechanism"] = self.sasl_mechanism
            security |= self._credentials()
        return Connection(self.bootstrap_servers, security)

    def _credentials(self) -> dict[str, Any]:
        """Return the options of a Kafka client that depend on the mechanism."""
        match self.sasl_mechanism:
            case "OAUTHBEARER":
                return {"sasl_oauth_token_provider": self._token_provider()}
            case "GSSAPI":
                given = {name: getattr(self, name) for name in BY_TICKET}
                return {name: value for name, value in given.items() if value is not None}
        password = self.sasl_password
        return {
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": password and password.get_secret_value(),
        }

    def _token_provider(self) -> "TokenProvider":
        from newsreel.common import oauth  # noqa: PLC0415 - imports Kafka's client

        if self.sasl_oauth_token_file is not None:
            return oauth.from_file(self.sasl_oauth_token_file)
        if self.sasl_oauth_token_command is not None:
            return oauth.from_command(shlex.split(self.sasl_oauth_token_command))
        token = self.sasl_oauth_token
        return oauth.from_text(token.get_secret_value() if token else "")

    @property
    def _tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def _sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Refuse security options without effect: the user would believe the connection secure."""
        for address in self.bootstrap_servers.split(","):
            if address.count(":") > 1 and "[" not in address and "//" not in address:
                raise ValueError(
                    f"--bootstrap-servers (or KAFKA_BOOTSTRAP_SERVERS) has {address.strip()!r}: an"
                    " IPv6 address needs brackets, such as [::1]:9092"
                )
        self.sasl_password = secret(self.sasl_password, self.sasl_password_file, "sasl-password")
        files = [self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile]
        credentials = [self.sasl_mechanism, *self._given(*BY_PASSWORD, *BY_TOKEN, *BY_TICKET)]
        for kind, given, used in (("SSL", files, self._tls), ("SASL", credentials, self._sasl)):
            if any(option is not None for option in given) and not used:
                raise ValueError(
                    f"--{kind.lower()}-... (or KAFKA_{kind}_...) has no effect with"
                    f" --security-protocol (or KAFKA_SECURITY_PROTOCOL) {self.security_protocol};"
                    f" choose one with {kind} in its name"
                )
        if self._sasl:
            self._check_credentials()
        if self._tls:
            certificates.check(self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile)
        return self

    def _given(self, *names: str) -> list[str]:
        """Return the names of the options that are given."""
        return [name for name in names if getattr(self, name) is not None]

    def _check_credentials(self) -> None:
        """Refuse credentials that do not fit the mechanism, and a mechanism without its own."""
        match self.sasl_mechanism:
            case "OAUTHBEARER":
                self._refuse(*BY_PASSWORD, *BY_TICKET)
                self._check_token()
            case "GSSAPI":
                self._refuse(*BY_PASSWORD, *BY_TOKEN)
                _check_kerberos()
            case _:
                if not all([self.sasl_mechanism, self.sasl_username, self.sasl_password]):
                    raise ValueError(
                        f"{self.security_protocol} needs --sasl-mechanism, --sasl-username and"
                        " --sasl-password-file (or KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and"
                        " KAFKA_SASL_PASSWORD); OAUTHBEARER and GSSAPI need no user name"
                    )
                self._refuse(*BY_TOKEN, *BY_TICKET)

    def _refuse(self, *names: str) -> None:
        """Refuse options that the mechanism does not use."""
        for name in self._given(*names):
            raise ValueError(
                f"--{name.replace('_', '-')} (or KAFKA_{name.upper()}) has no effect with"
                f" --sasl-mechanism (or KAFKA_SASL_MECHANISM) {self.sasl_mechanism}"
            )

    def _check_token(self) -> None:
        if len(self._given(*BY_TOKEN)) != 1:
            raise ValueError(
                "OAUTHBEARER needs a token from one place: --sasl-oauth-token-file,"
                " --sasl-oauth-token-command, or the variable KAFKA_SASL_OAUTH_TOKEN"
            )
        if self.sasl_oauth_token_command is not None:
            try:
                words = shlex.split(self.sasl_oauth_token_command)
            except ValueError as error:
                # The message has no part of the command, which may hold a secret.
                raise ValueError(f"--sasl-oauth-token-command: {error}") from None
            if not words:
                raise ValueError("--sasl-oauth-token-command is empty")


def _check_kerberos() -> None:
    """Refuse Kerberos where its library is missing; a Kafka client would report an outage."""
    try:
        import_module("gssapi")
    except (ImportError, OSError) as error:
        raise ValueError(
            "--sasl-mechanism GSSAPI needs the package gssapi: install newsreel[kerberos], and"
            f" the Kerberos libraries of the system ({error})"
        ) from error
