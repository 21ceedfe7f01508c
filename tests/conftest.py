"""Parts shared by all tests: a real broker, topics of one's own, a way to run the programs."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from helpers import ROOT, Publish, Run, write

from consumer.features import hardware
from harness.broker import find_kafka
from newsreel.common.kafka import Connection

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests share the cores, and models are small

hardware.use_cores(int(os.environ["OMP_NUM_THREADS"]))  # here torch has looked already


@pytest.fixture(scope="session")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Connect to a real Kafka: the one the environment names, else an embedded one."""
    with find_kafka(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture(scope="session")
def bootstrap_servers(connection: Connection) -> str:
    """Address of that Kafka."""
    return connection.bootstrap_servers


@pytest.fixture
def topic() -> str:
    """Name of a topic that nobody else uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def publish(connection: Connection) -> Publish:
    """Write documents, or raw values, to a topic that is created when missing."""
    return partial(write, connection)


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
