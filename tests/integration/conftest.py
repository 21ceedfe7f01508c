"""Consumers with the options of a user, in a process of their own or in this one."""

import json
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from helpers import SMALL, Consumer, Inspect, Learn, Start, started

from consumer import __main__ as program
from consumer.checkpoints import lease
from newsreel.common import cli


@pytest.fixture(autouse=True)
def _take_the_lease_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a consumer in this process take the lease of a new folder without waiting."""
    monkeypatch.setattr(lease, "MISSING_SECONDS", 0.0)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.02)


@pytest.fixture
def consumer(bootstrap_servers: str, encoder: Path, tmp_path: Path) -> Start:
    """Start a consumer; it is killed when the block ends."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / lease.LEASE).write_text(lease.RELEASED)  # no holder to wait for

    def start(topic: str, *options: object) -> AbstractContextManager[Consumer]:
        log = tmp_path / f"consumer-{time.monotonic_ns()}.log"
        command = ["--topic", topic, "--group", topic, "--checkpoint-dir", folder]
        return started(log, bootstrap_servers, *command, *SMALL, "--model", encoder, *options)

    return start


@pytest.fixture
def learn(
    bootstrap_servers: str, encoder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Learn:
    """Run a consumer to its end and return its summary.

    The consumer runs in this process, in which torch is loaded: that saves seconds for each run.
    """
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)

    def call(topic: str, *options: object) -> dict[str, Any]:
        summary = tmp_path / "summary.json"
        command = ["--topic", topic, "--group", topic, "--checkpoint-dir", tmp_path / "checkpoints"]
        always = ["--model", encoder, "--summary", summary, "--linger", 2]
        program.learn([str(word) for word in [*command, *SMALL, *always, *options]])
        result: dict[str, Any] = json.loads(summary.read_text())
        return result

    return call


@pytest.fixture
def inspect(
    bootstrap_servers: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Inspect:
    """Inspect a topic and return the lines that are printed, or the one line of an error."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)

    def call(*options: object) -> list[str]:
        capsys.readouterr()
        code = cli.run("consumer inspect", program.inspect, [str(each) for each in options])
        printed = capsys.readouterr()
        return printed.err.splitlines() if code else printed.out.splitlines()

    return call
