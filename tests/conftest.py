"""Parts shared by all tests: a real broker, topics of one's own, a way to run the programs."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.broker import EmbeddedKafka

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def bootstrap_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Kafka: the one the environment names, else an embedded one."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def topic() -> str:
    """Name of a topic that nobody else uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(bootstrap_servers: str, tmp_path: Path) -> Run:
    """Run a newsreel program as a user would: ``run("producer", "--limit", "5")``."""

    def call(module: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, **variables},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return call
