"""Parts shared by all tests: a real broker, topics of one's own, a way to run the programs."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from helpers import ROOT, Publish, Run
from kafka import KafkaProducer

from demo.broker import find
from events.document import Document, encode
from service import kafka
from service.kafka import Connection

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests share the cores, and models are small


@pytest.fixture(scope="session")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Connect to a real Kafka: the one the environment names, else an embedded one."""
    with find(tmp_path_factory.mktemp("kafka")) as found:
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

    def call(topic: str, items: Iterable[Document | bytes | None], partitions: int = 1) -> None:
        with kafka.admin(connection) as admin:
            kafka.ensure(admin, topic, partitions)
        producer = KafkaProducer(
            **connection.options, compression_type="gzip", max_request_size=64 << 20
        )
        sent = []
        for number, item in enumerate(items):
            where = {"partition": number % partitions, "key": b"key"}
            if isinstance(item, Document):
                record = encode(item, source="tests")
                where |= {"key": record.key, "headers": record.headers}
                item = record.value  # noqa: PLW2901
            sent.append(producer.send(topic, value=item, **where))
        for delivery in sent:
            delivery.get(timeout=30)
        producer.close()

    return call


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
