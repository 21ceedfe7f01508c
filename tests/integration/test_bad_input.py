"""A mistake of a user gives one error line with a remedy, and exit code 2."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import SMALL, Learn, Publish, Run, Start, documents
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from consumer import __main__ as program
from consumer.checkpoints.store import newest_checkpoint
from consumer.kafka.offsets import FRESH
from newsreel.common import cli, kafka, retrying
from newsreel.events.topics import Names

Complain = Callable[..., str]


@pytest.fixture
def complain(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    bootstrap_servers: str,
    encoder: Path,
    topic: str,
    tmp_path: Path,
) -> Complain:
    """Run the consumer with a wrong option and return its one error line."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)

    def call(*options: object, main: Callable[..., None] = program.learn) -> str:
        usual = ["--topic", topic, "--group", topic, "--checkpoint-dir", tmp_path / "checkpoints"]
        argv = [*usual, *SMALL, "--model", encoder, *options] if main is program.learn else options
        capsys.readouterr()
        assert cli.run("consumer", main, [str(word) for word in argv]) == 2
        errors = capsys.readouterr().err
        line = errors.strip().splitlines()[-1]
        assert line.startswith("consumer: ")
        assert "Traceback" not in errors
        return line

    return call


def test_unknown_option(run: Run) -> None:
    """The error about an unknown option names the most similar one."""
    result = run("consumer", "--bacth-size", 3)
    assert result.returncode == 2
    assert result.stderr.strip() == (
        "consumer: unrecognized arguments: --bacth-size 3 (did you mean --batch-size?); see --help"
    )


def test_impossible_value(complain: Complain) -> None:
    """The error about impossible values names each value with its option."""
    line = complain("--batch-size", 0, "--layers", "some")
    assert "--batch-size (or CONSUMER_BATCH_SIZE) is '0'" in line
    assert "--layers (or CONSUMER_LAYERS) is 'some'" in line
    assert "--learning-rate" not in line


def test_unreachable_broker(complain: Complain, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error about an unreachable broker has its address and the option that changes it."""
    monkeypatch.setattr(kafka, "CONNECT_TIMEOUT_MS", 1000)
    monkeypatch.setattr(retrying, "START_SECONDS", 0.0)
    line = complain("--bootstrap-servers", "127.0.0.1:1")
    assert "no Kafka broker answers at '127.0.0.1:1'" in line
    assert "--bootstrap-servers" in line


def test_missing_topic(complain: Complain, topic: str) -> None:
    """A missing topic is an error; the topic is not created."""
    line = complain()
    assert f"topic '{topic}' does not exist" in line
    assert "--topic" in line


def test_unknown_model(complain: Complain, publish: Publish, topic: str, tmp_path: Path) -> None:
    """The error about a model that is neither a folder nor on the hub names the model."""
    publish(topic, documents(1))
    line = complain("--model", tmp_path / "no-model")
    assert "no-model' can't be used as an encoder" in line
    assert "--model" in line


def test_unwritable_folder(complain: Complain, tmp_path: Path) -> None:
    """A folder without write access is an error before anything is learned."""
    (tmp_path / "file").write_text("")
    assert "--checkpoint-dir" in complain("--checkpoint-dir", tmp_path / "file" / "folder")
    assert "--summary" in complain("--summary", tmp_path / "file" / "summary.json")


def test_port_in_use(
    complain: Complain, publish: Publish, consumer: Start, topic: str, tmp_path: Path
) -> None:
    """The error about a port in use names the option that changes it."""
    publish(topic, documents(1))
    with consumer(topic) as running:
        port = running.address.rpartition(":")[2]
        another = ("--checkpoint-dir", tmp_path / "other", "--group", f"{topic}-other")
        assert "--http-port" in complain("--http-port", port, *another)


def test_unfit_checkpoints(
    complain: Complain,
    publish: Publish,
    learn: Learn,
    topic: str,
    tmp_path: Path,
    bootstrap_servers: str,
) -> None:
    """A checkpoint of another model, a newer format, a broken or a missing one is refused."""
    publish(topic, documents(16))
    learn(topic, "--stop-after", 16)
    line = complain("--max-tokens", 32)
    assert "of another model" in line
    assert "--max-tokens is 16 in the checkpoint and 32 in the options" in line

    (manifest,) = (tmp_path / "checkpoints").glob("0*/manifest.json")
    written = manifest.read_text()
    newer = json.loads(written) | {"format": 99}
    del newer["manifest_sha256"]
    manifest.write_text(json.dumps(newer))
    assert "has format 99" in complain()

    manifest.write_text(written)
    state = manifest.with_name("state.json")
    whole = state.read_bytes()
    state.write_bytes(whole[:-1])
    assert "broken or incomplete" in complain()

    other = tmp_path / "other"
    assert "which is missing" in complain("--checkpoint-dir", other)
    assert f"of group {topic!r}" in complain("--group", f"{topic}-other")
    fresh = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=f"{topic}-fresh")
    fresh.commit({TopicPartition(topic, 0): OffsetAndMetadata(0, FRESH, -1)})
    fresh.close()
    assert f"of group {topic!r}" in complain("--group", f"{topic}-fresh")

    moved = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=topic)
    partition = TopicPartition(topic, 0)
    committed = moved.committed(partition, metadata=True)
    state.write_bytes(whole)
    moved.commit({partition: committed._replace(offset=3)})
    moved.close()
    assert "were moved since checkpoint" in complain()

    reset = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=topic)
    reset.commit({TopicPartition(topic, 0): OffsetAndMetadata(0, "", -1)})
    reset.close()
    line = complain()
    assert "were moved since checkpoint" in line
    assert "--keep-model" in line


def test_nothing_to_evaluate(
    complain: Complain, publish: Publish, learn: Learn, topic: str, tmp_path: Path
) -> None:
    """Evaluation without a checkpoint, or without held-out documents, is an error with a remedy."""
    options = ("--checkpoint", tmp_path / "checkpoints", "--topic", Names.of(topic).heldout)
    assert "holds no checkpoint" in complain(*options, main=program.evaluate)
    publish(topic, documents(16))
    summary = learn(topic, "--stop-after", 16)
    assert summary["heldout_accuracy"] is None
    line = complain(*options, main=program.evaluate)
    assert f"python -m producer --topic {Names.of(topic).heldout}" in line
    assert "is required" in complain(main=program.evaluate)

    checkpoint = newest_checkpoint(tmp_path / "checkpoints")
    line = complain("--watch", "--checkpoint", checkpoint, main=program.evaluate)
    assert "--watch follows a folder of them" in line
