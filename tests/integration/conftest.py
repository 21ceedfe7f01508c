"""A consumer as its user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, SMALL, Consumer, Learn, Start

from consumer import __main__ as program


@pytest.fixture
def consumer(bootstrap_servers: str, tmp_path: Path) -> Start:
    """Start a consumer; it is killed when the block ends."""

    @contextmanager
    def start(topic: str, *options: object) -> Iterator[Consumer]:
        log = tmp_path / f"consumer-{time.monotonic_ns()}.log"
        command = ["--topic", topic, "--group", topic, "--checkpoint-dir", tmp_path / "checkpoints"]
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "consumer", *map(str, [*command, *SMALL, *options])],
                cwd=ROOT,
                env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield Consumer(process, log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()

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
