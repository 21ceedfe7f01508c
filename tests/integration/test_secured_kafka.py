"""Kafka over TLS with a password or a token: each client signs in; secrets are not shown."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import secure
from helpers import Learn, Publish, Run, documents
from secure import PASSWORD, USER, Gate

from consumer import __main__ as program
from newsreel.common import cli, kafka
from newsreel.common.kafka import BrokerUnreachableError, Connection
from newsreel.common.settings import KafkaSettings
from newsreel.events.topics import Names

PRODUCE, FETCH = 0, 1

COMMITS = {8, 28}
"""API keys of Kafka for OffsetCommit and TxnOffsetCommit."""


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return secure.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def gate(bootstrap_servers: str, pem: tuple[Path, Path]) -> Iterator[Gate]:
    if "KAFKA_SECURITY_PROTOCOL" in os.environ or not bootstrap_servers.startswith("127.0.0.1:"):
        pytest.skip("the gate needs a broker that advertises 127.0.0.1")
    with secure.gate(bootstrap_servers, *pem) as opened:
        yield opened


@pytest.fixture
def secured(gate: Gate, pem: tuple[Path, Path]) -> dict[str, str]:
    """Return the environment of a program that the gate accepts."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{gate.port}",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SSL_CAFILE": str(pem[0]),
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": PASSWORD,
    }


def secrets_in(folder: Path) -> list[str]:
    """Return the names of the files that contain the password."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if PASSWORD.encode() in path.read_bytes()]


def test_producer_and_consumer(
    run: Run,
    publish: Publish,
    learn: Learn,
    gate: Gate,
    secured: dict[str, str],
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Documents are published, learned, evaluated and committed, all through the gate.

    The password is in no log, no checkpoint and no summary.
    """
    corpus = tmp_path / "own.csv"
    rows = [f"{document.text},{document.label}" for document in documents(64)]
    corpus.write_text("\n".join(["text,label", *rows]))
    publish(topic, [b"not JSON"])
    for name in (topic, Names.of(topic).heldout):
        done = run(
            "producer", "--corpus", corpus, "--topic", name, "--scenario", "as-is", **secured
        )
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
    for name, value in secured.items():
        monkeypatch.setenv(name, value)
    summary = learn(topic, "--stop-after", 64, "--learner", "bayes")
    assert summary["documents"] == 64
    assert summary["dead_letters"] == 1
    assert summary["heldout_documents"] == 64
    assert gate.requested >= {PRODUCE, FETCH}
    assert gate.requested & COMMITS
    again = learn(topic, "--stop-when-idle", 1, "--learner", "bayes")
    assert again["documents"] == 64
    program.evaluate(
        ["--topic", Names.of(topic).heldout, "--checkpoint", f"{tmp_path}/checkpoints"]
    )
    output = capfd.readouterr()
    assert PASSWORD not in output.out + output.err
    assert secrets_in(tmp_path) == []


def test_token_that_another_program_renews(
    publish: Publish,
    learn: Learn,
    gate: Gate,
    secured: dict[str, str],
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A run signs in with the token that the file holds when a connection is made."""
    publish(topic, documents(64))
    file = tmp_path / "token"
    for name in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
        del secured[name]
    secured |= {"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_SASL_OAUTH_TOKEN_FILE": str(file)}
    for name, value in secured.items():
        monkeypatch.setenv(name, value)
    for renewed in ("first.token", "second.token"):
        gate.token = renewed
        file.write_text(renewed)
        summary = learn(topic, "--stop-when-idle", 1, "--learner", "bayes")
        assert summary["documents"] == 64
    assert gate.requested & COMMITS
    gate.token = "third.token"
    message = refusal(cli.parse(KafkaSettings, []).connection, monkeypatch)
    assert "SaslAuthenticationFailedError" in message
    output = capfd.readouterr()
    file.unlink()
    assert b"second.token" not in b"".join(
        path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )
    assert "second.token" not in output.out + output.err + message


def refusal(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT_MS", 1000)
    with pytest.raises(BrokerUnreachableError) as refused, kafka.admin(connection):
        pass
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert PASSWORD not in message
    return message


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"sasl_plain_password": "guess"}, "SaslAuthenticationFailedError"),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, "does not support SCRAM-SHA-256"),
        ({"ssl_cafile": None}, "self-signed certificate"),
        ({"security_protocol": "PLAINTEXT"}, "KafkaConnectionError"),
    ],
)
def test_refused(
    wrong: dict[str, str], reason: str, secured: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is refused gets one line with the reason and the address of the broker."""
    for name, value in secured.items():
        monkeypatch.setenv(name, value)
    right = cli.parse(KafkaSettings, []).connection
    message = refusal(Connection(right.bootstrap_servers, {**right.security, **wrong}), monkeypatch)
    assert right.bootstrap_servers in message
    assert reason in message
    assert message.startswith("can't sign in to Kafka at") == ("sasl" in next(iter(wrong)))
    assert ("is not trusted" in message) == ("ssl_cafile" in wrong)


def test_name_of_the_host(
    bootstrap_servers: str, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of another host is refused, unless host names are not checked."""
    pem, key = secure.certificate(tmp_path, "DNS:other.example.com")
    with secure.gate(bootstrap_servers, pem, key, sasl=False) as other:
        given = {"security_protocol": "SSL", "ssl_cafile": str(pem)}
        connection = Connection(f"127.0.0.1:{other.port}", given)
        assert "certificate is not valid for '127.0.0.1'" in refusal(connection, monkeypatch)
        trusting = Connection(connection.bootstrap_servers, {**given, "ssl_check_hostname": False})
        with kafka.admin(trusting) as client:
            assert kafka.partitions(client, "nowhere") == []


def test_missing_password(secured: dict[str, str], run: Run) -> None:
    """A program without a password ends before it connects to the broker."""
    del secured["KAFKA_SASL_PASSWORD"]
    for name in ("producer", "consumer"):
        ended = run(name, **secured)
        assert ended.returncode == 2
        assert ended.stderr.splitlines()[-1].startswith(f"{name}: SASL_SSL needs ")
