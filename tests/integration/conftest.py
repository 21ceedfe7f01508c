"""A consumer as its user runs it."""

import json
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from helpers import SMALL, Consumer, Learn, Start, started

from consumer import __main__ as program


@pytest.fixture
def consumer(bootstrap_servers: str, tmp_path: Path) -> Start:
    """Start a consumer; it is killed when the block ends."""

    def start(topic: str, *options: object) -> AbstractContextManager[Consumer]:
        log = tmp_path / f"consumer-{time.monotonic_ns()}.log"
        command = ["--topic", topic, "--group", topic, "--checkpoint-dir", tmp_path / "checkpoints"]
        return started(log, bootstrap_servers, *command, *SMALL, *options)

    return start


@pytest.fixture
def learn(bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Learn:
    """Run a consumer to its end and return its summary.

    It runs in this process, which has torch loaded: that saves seconds each time.
    """
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)

    def call(topic: str, *options: object) -> dict[str, Any]:
        summary = tmp_path / "summary.json"
        command = ["--topic", topic, "--group", topic, "--checkpoint-dir", tmp_path / "checkpoints"]
        always = ["--summary", summary, "--linger", 2]
        program.learn([str(word) for word in [*command, *SMALL, *always, *options]])
        result: dict[str, Any] = json.loads(summary.read_text())
        return result

    return call
