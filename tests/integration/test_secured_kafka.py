"""Kafka over TLS with a password: every client gets in with it, and nobody is told it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import secure
from helpers import Learn, Publish, Run, documents
from secure import PASSWORD, USER, Gate

from consumer import __main__ as program
from events import topics
from service import kafka


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return secure.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def gate(bootstrap_servers: str, pem: tuple[Path, Path]) -> Iterator[Gate]:
    if "KAFKA_SECURITY_PROTOCOL" in os.environ or not bootstrap_servers.startswith("127.0.0.1:"):
        pytest.skip("the gate stands in front of a broker that knows itself as 127.0.0.1")
    with secure.gate(bootstrap_servers, *pem) as opened:
        yield opened


@pytest.fixture
def secured(gate: Gate, pem: tuple[Path, Path]) -> dict[str, str]:
    """Return the environment of a program that may pass the gate."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{gate.port}",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SSL_CAFILE": str(pem[0]),
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SASL_PASSWORD": PASSWORD,
    }


def told(folder: Path) -> list[str]:
    """Names of the files that hold the password."""
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
    """Documents are published, learned, examined and committed, all through the gate.

    The password is in no log, no checkpoint and no summary.
    """
    corpus = tmp_path / "own.csv"
    rows = [f"{document.text},{document.label}" for document in documents(64)]
    corpus.write_text("\n".join(["text,label", *rows]))
    for name in (topic, topics.heldout(topic)):
        done = run("producer", "--corpus", corpus, "--topic", name, "--order", "as-is", **secured)
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
    for name, value in secured.items():
        monkeypatch.setenv(name, value)
    publish_poison(secured, topic)
    summary = learn(topic, "--stop-after", 65, "--learner", "bayes")
    assert summary["documents"] == 64
    assert summary["dead_letters"] == 1
    assert summary["heldout_documents"] == 64
    assert len(gate.seen) >= 1
    again = learn(topic, "--stop-when-idle", 1, "--learner", "bayes")
    assert again["documents"] == 64
    program.evaluate(["--topic", topics.heldout(topic), "--checkpoint", f"{tmp_path}/checkpoints"])
    said = capfd.readouterr()
    assert PASSWORD not in said.out + said.err
    assert told(tmp_path) == []


def publish_poison(secured: dict[str, str], topic: str) -> None:
    """Write what can't be decoded, through the gate as well."""
    from kafka import KafkaProducer

    connection = kafka.Connection(
        secured["KAFKA_BOOTSTRAP_SERVERS"],
        {
            "security_protocol": "SASL_SSL",
            "ssl_cafile": secured["KAFKA_SSL_CAFILE"],
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": USER,
            "sasl_plain_password": PASSWORD,
        },
    )
    producer = KafkaProducer(**connection.options)
    producer.send(topic, value=b"not JSON").get(timeout=30)
    producer.close()
