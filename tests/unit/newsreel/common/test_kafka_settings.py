"""Security options of Kafka: valid combinations, refused ones, and secrets that stay secret."""

import os
import socket
import sys
import types
from pathlib import Path

import pytest
from kafka.net.connection import KafkaConnection
from secure import certificate

from consumer.settings import EvaluateSettings
from consumer.settings import Settings as ConsumerSettings
from newsreel.common import cli, kafka
from newsreel.common.cli import UsageError
from newsreel.common.kafka import BrokerUnreachableError, Connection
from newsreel.common.settings import KafkaSettings
from producer.settings import Settings as ProducerSettings

PASSWORD = "correct horse battery"

SCRAM = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "newsreel",
    "KAFKA_SASL_PASSWORD": PASSWORD,
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("KAFKA_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


def connection(*argv: object) -> Connection:
    return cli.parse(KafkaSettings, [str(word) for word in argv]).connection


def complaint(*argv: object) -> str:
    with pytest.raises(UsageError) as refused:
        connection(*argv)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert PASSWORD not in message
    return message


def test_plain_by_default() -> None:
    """Without security options, a client gets only the address of Kafka."""
    assert connection() == Connection("localhost:9092")
    assert connection().options == {"bootstrap_servers": "localhost:9092"}


@pytest.mark.parametrize("address", ["::1", "::1:9092", "a:9092, fe80::1:9092", "a:1:b:2"])
def test_address_without_brackets(address: str) -> None:
    """An IPv6 address without brackets is refused: its last part may be a port, or not."""
    message = complaint("--bootstrap-servers", address)
    assert repr(address.rsplit(",", maxsplit=1)[-1].strip()) in message
    assert "[::1]:9092" in message


def test_address_in_brackets() -> None:
    """An IPv6 address in brackets is passed to the client as it is."""
    addresses = "[::1]:9092,broker:9093"
    assert connection("--bootstrap-servers", addresses).bootstrap_servers == addresses


@pytest.mark.parametrize("settings", [ProducerSettings, ConsumerSettings, EvaluateSettings])
def test_every_program_has_the_same_options(
    settings: type[KafkaSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same variables become the same client options in all programs."""
    for name, value in SCRAM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:9093")
    required = ["--checkpoint", "x"] if settings is EvaluateSettings else []
    parsed = cli.parse(settings, required)
    assert parsed.connection.options == {
        "bootstrap_servers": "broker:9093",
        "security_protocol": "SASL_SSL",
        "ssl_check_hostname": True,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "newsreel",
        "sasl_plain_password": PASSWORD,
    }
    for shown in (repr(parsed), str(parsed), repr(parsed.connection), parsed.model_dump_json()):
        assert PASSWORD not in shown


def test_client_certificate(pem: tuple[Path, Path]) -> None:
    """Certificate files become client options; the check of the host name can be switched off."""
    certificate, key = pem
    files = ("--ssl-cafile", certificate, "--ssl-certfile", certificate, "--ssl-keyfile", key)
    given = connection("--security-protocol", "SSL", *files, "--no-ssl-check-hostname")
    assert given.security == {
        "security_protocol": "SSL",
        "ssl_check_hostname": False,
        "ssl_cafile": str(certificate),
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(key),
    }


def test_password_from_a_file(tmp_path: Path) -> None:
    """The password is the content of the file without the line end."""
    file = tmp_path / "password"
    file.write_text(f" {PASSWORD} \n")
    options = ("--sasl-mechanism", "PLAIN", "--sasl-username", "u", "--sasl-password-file", file)
    given = connection("--security-protocol", "SASL_PLAINTEXT", *options)
    assert given.security["sasl_plain_password"] == f" {PASSWORD} "


@pytest.mark.parametrize("missing", ["MECHANISM", "USERNAME", "PASSWORD"])
def test_sasl_needs_all_options(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A protocol with SASL is refused without mechanism, user name or password."""
    for name, value in SCRAM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(f"KAFKA_SASL_{missing}")
    assert complaint().startswith("SASL_SSL needs --sasl-mechanism, --sasl-username and --sasl-pas")


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["--sasl-mechanism", "PLAIN"], "SASL"),
        (["--sasl-username", "u", "--security-protocol", "SSL"], "SASL"),
        (["--ssl-cafile", "ca.pem"], "SSL"),
    ],
)
def test_security_without_effect(argv: list[str], kind: str) -> None:
    """A certificate or a user is refused with a protocol that would not use it."""
    message = complaint(*argv)
    assert message.startswith(f"--{kind.lower()}-... (or KAFKA_{kind}_...) has no effect")
    assert f"choose one with {kind} in its name" in message


def test_password_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the environment is refused with a protocol that would not use it."""
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", PASSWORD)
    assert "has no effect" in complaint()


@pytest.mark.parametrize("option", ["--ssl-cafile", "--ssl-certfile", "--ssl-keyfile"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_used(
    option: str, content: str | None, tmp_path: Path, pem: tuple[Path, Path]
) -> None:
    """A missing or malformed certificate or key is reported before a connection is tried."""
    file = tmp_path / "bad.pem"
    if content is not None:
        file.write_text(content)
    others = ["--ssl-certfile", pem[0]] if option == "--ssl-keyfile" else []
    message = complaint("--security-protocol", "SSL", *others, option, file)
    assert "can't be used" in message
    assert repr(str(file)) in message


def test_encrypted_key_is_not_asked_for(tmp_path: Path, pem: tuple[Path, Path]) -> None:
    """A key with a passphrase is refused; OpenSSL would ask for the passphrase on the terminal."""
    locked = tmp_path / "locked.pem"
    os.system(f"openssl ec -aes128 -passout pass:x -in {pem[1]} -out {locked} 2>/dev/null")
    files = ("--ssl-certfile", pem[0], "--ssl-keyfile", locked)
    assert "can't be used" in complaint("--security-protocol", "SSL", *files)


def test_key_without_certificate(pem: tuple[Path, Path]) -> None:
    """A key without a certificate is refused."""
    assert "--ssl-certfile" in complaint("--security-protocol", "SSL", "--ssl-keyfile", pem[1])


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe\x00"])
def test_password_file_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    """The error about a password file shows neither its name nor its content.

    Either may be the password.
    """
    file = tmp_path / PASSWORD
    if content is not None:
        file.write_bytes(content)
    assert complaint("--sasl-password-file", file).startswith("--sasl-password-file ")


def test_password_given_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in a file and another in the environment are refused."""
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", PASSWORD)
    assert "choose one" in complaint("--sasl-password-file", tmp_path)


@pytest.mark.parametrize(
    "argv",
    [
        ["--sasl-password", PASSWORD],
        [f"--sasl-password={PASSWORD}"],
        ["--sasl-pasword", PASSWORD],
        ["--password", PASSWORD],
    ],
)
def test_password_as_a_flag(argv: list[str]) -> None:
    """A password as a flag is refused; the message names the alternatives, not the password."""
    message = complaint(*argv)
    assert "set KAFKA_SASL_PASSWORD, or name a file with --sasl-password-file" in message


def test_wrong_protocol_or_mechanism(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error about an impossible value names option, variable and the possible values."""
    for name, value in SCRAM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "TLS")
    message = complaint("--sasl-mechanism", "NTLM")
    assert "--security-protocol (or KAFKA_SECURITY_PROTOCOL) is 'TLS'" in message
    assert "--sasl-mechanism (or KAFKA_SASL_MECHANISM) is 'NTLM'" in message
    assert "'SCRAM-SHA-256'" in message


OAUTH = ("--security-protocol", "SASL_SSL", "--sasl-mechanism", "OAUTHBEARER")

GSSAPI = ("--security-protocol", "SASL_SSL", "--sasl-mechanism", "GSSAPI")


def test_token_of_a_file(tmp_path: Path) -> None:
    """A client asks for the token each time, so that another program can renew its file."""
    file = tmp_path / "token"
    file.write_text("first\n")
    given = connection(*OAUTH, "--sasl-oauth-token-file", file)
    assert given.security.keys() == {
        *("security_protocol", "ssl_check_hostname", "sasl_mechanism", "sasl_oauth_token_provider")
    }
    provider = given.security["sasl_oauth_token_provider"]
    assert provider.token() == "first"
    file.write_text("second")
    assert provider.token() == "second"


def test_token_of_a_command_or_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token comes from a command or, for short runs, from a variable; it is not shown."""
    given = connection(*OAUTH, "--sasl-oauth-token-command", "echo 'a.b-c='")
    assert given.security["sasl_oauth_token_provider"].token() == "a.b-c="
    monkeypatch.setenv("KAFKA_SASL_OAUTH_TOKEN", "secret.token")
    settings = cli.parse(KafkaSettings, OAUTH)
    provider = settings.connection.security["sasl_oauth_token_provider"]
    assert provider.token() == "secret.token"
    assert settings.connection is settings.connection  # its clients share the token
    for shown in (repr(settings), repr(settings.connection), settings.model_dump_json()):
        assert "secret.token" not in shown


@pytest.mark.parametrize(
    "options", [(), ("--sasl-oauth-token-file", "f", "--sasl-oauth-token-command", "c")]
)
def test_token_from_one_place(options: tuple[str, ...]) -> None:
    """OAUTHBEARER is refused without a place of its token, and with two."""
    assert complaint(*OAUTH, *options).startswith("OAUTHBEARER needs a token from one place")


@pytest.mark.parametrize(
    ("command", "reason"), [(f"echo '{PASSWORD}", "No closing quotation"), ("  ", "is empty")]
)
def test_token_command_that_cannot_be_split(command: str, reason: str) -> None:
    """The error about a command does not show the command, which may hold a secret."""
    assert reason in complaint(*OAUTH, "--sasl-oauth-token-command", command)


@pytest.mark.parametrize("option", ["--sasl-oauth-token", "--sasl-oauth-tokn", "--oauth-token"])
def test_token_as_a_flag(option: str) -> None:
    """A token as a flag is refused; the message names the alternatives, not the token."""
    message = complaint(*OAUTH, option, PASSWORD)
    assert "set KAFKA_SASL_OAUTH_TOKEN, or name a file with --sasl-oauth-token-file" in message


@pytest.mark.parametrize("option", ["--sasl-oauth-token-fil", "--sasl-oauth-token-comand"])
def test_misspelt_token_option(option: str) -> None:
    """The error about a misspelt option does not show its value, which may be a token."""
    assert option in complaint(*OAUTH, option, PASSWORD)


@pytest.mark.parametrize(
    ("mechanism", "option"),
    [
        (OAUTH, "--sasl-username"),
        (OAUTH, "--sasl-kerberos-service-name"),
        (GSSAPI, "--sasl-username"),
        (GSSAPI, "--sasl-oauth-token-file"),
    ],
)
def test_credentials_of_another_mechanism(mechanism: tuple[str, ...], option: str) -> None:
    """Credentials that the mechanism would not use are refused."""
    message = complaint(*mechanism, option, "x")
    assert message.startswith(f"{option} (or KAFKA_")
    assert f"has no effect with --sasl-mechanism (or KAFKA_SASL_MECHANISM) {mechanism[-1]}" in (
        message
    )


def test_token_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is refused with a password's mechanism and without SASL."""
    assert "has no effect with --security-protocol" in complaint("--sasl-oauth-token-file", "f")
    for name, value in SCRAM.items():
        monkeypatch.setenv(name, value)
    expected = "--sasl-oauth-token-file (or KAFKA_SASL_OAUTH_TOKEN_FILE) has no effect with"
    assert complaint("--sasl-oauth-token-file", "f").startswith(expected)


def test_kerberos_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """GSSAPI is refused where the package gssapi is missing; the message names the extra."""
    monkeypatch.setitem(sys.modules, "gssapi", None)
    assert "needs the package gssapi: install newsreel[kerberos]" in complaint(*GSSAPI)


def test_kerberos(monkeypatch: pytest.MonkeyPatch) -> None:
    """GSSAPI needs no option; the name of the service can be given."""
    monkeypatch.setitem(sys.modules, "gssapi", types.ModuleType("gssapi"))
    options = {"security_protocol": "SASL_SSL", "ssl_check_hostname": True}
    options["sasl_mechanism"] = "GSSAPI"
    assert connection(*GSSAPI).security == options
    named = connection(*GSSAPI, "--sasl-kerberos-service-name", "broker")
    assert named.security == {**options, "sasl_kerberos_service_name": "broker"}


def test_kerberos_without_a_ticket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of Kerberos is the reason why the user can't sign in."""
    kind = type("GSSError", (Exception,), {"__module__": "gssapi.raw.misc"})
    error = kind("No Kerberos credentials available\n(default cache: none)")

    async def initialize(connection: KafkaConnection, timeout_at: float | None = None) -> None:
        connection.close(error)

    monkeypatch.setattr(KafkaConnection, "initialize", initialize)
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT_MS", 300)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "{}:{}".format(*listener.getsockname())
        with pytest.raises(BrokerUnreachableError) as refused, kafka.admin(Connection(address)):
            pass
    assert str(refused.value).startswith(
        f"can't sign in to Kafka at '{address}' (No Kerberos credentials available (default cache:"
    )


def test_help_does_not_offer_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names the password's file and variable, and has no option for the password."""
    with pytest.raises(SystemExit):
        connection("--help")
    shown = capsys.readouterr().out
    assert "--sasl-password-file" in shown
    assert "KAFKA_SASL_PASSWORD" in shown
    assert "--sasl-password " not in shown
