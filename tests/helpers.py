"""A stream that is learned quickly, and a consumer process with HTTP requests."""

import json
import os
import re
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any, Protocol, Self

from forks import Fork
from kafka import KafkaProducer

from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import Document, encode

if TYPE_CHECKING:
    from consumer.checkpoints.state import Stateful
    from consumer.kafka.partition_watch import PartitionStates
    from consumer.learners.factory import BuiltModel
    from consumer.learners.protocol import StagedUpdate

ROOT = Path(__file__).parent.parent

TOPICS = {
    "sport": ["hockey", "goal", "team", "player", "season", "coach", "match", "league", "score"],
    "space": ["orbit", "rocket", "moon", "launch", "satellite", "shuttle", "nasa", "mars", "probe"],
}

SMALL = (
    *("--max-tokens", 16, "--layers", 1, "--precision", "fp32", "--runtime", "torch"),
    *("--latent-tokens", 10, "--learn-tokens", 8),
    *("--batch-size", 16, "--replay-ratio", 0.25, "--http-port", 0),
)
"""Options that keep a test short.

In fp32, predictions do not depend on the other documents of a batch. Texts of `documents` have more
than 16 tokens, of which latent replay stores 10 and trains on 8.
"""


def documents(count: int, start: int = 0) -> list[Document]:
    """Return documents of two labels in turn, with different texts."""
    result = []
    for number in range(start, start + count):
        label = ("sport", "space")[number % 2]
        words = TOPICS[label]
        chosen = [words[(number * step) % len(words)] for step in (1, 2, 4, 5, 7)]
        result.append(Document(f"doc-{number}", f"{' '.join(chosen)} number {number}", label))
    return result


def apply_update(update: "StagedUpdate") -> float:
    """Apply a learning step, and return its loss."""
    update.apply()
    return update.loss


class Part:
    """A part of a checkpoint with any state."""

    def __init__(self, state: Any = None) -> None:
        self.state = state

    def state_dict(self) -> dict[str, Any]:
        return {"state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.state = state["state"]


class HeaderName(str):
    """A header name of any bytes, which kafka-python writes unchanged."""

    __slots__ = ("data",)

    def __new__(cls, data: bytes) -> Self:
        name = super().__new__(cls, "name")
        name.data = data
        return name

    def encode(self, *_: object) -> bytes:
        return self.data


class CountPolls:
    """Counts failed polls and lost records, and keeps the states of partitions."""

    def __init__(self) -> None:
        self.retries = 0
        self.records = 0
        self.seen: list[PartitionStates] = []

    def poll_retried(self) -> None:
        self.retries += 1

    def records_lost(self, records: int) -> None:
        self.records += records

    def partitions_seen(self, _topic: str, states: "PartitionStates") -> None:
        self.seen.append(states)


class Consumer:
    """A consumer process with its log and its HTTP server."""

    def __init__(self, process: Fork, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def address(self) -> str:
        """Return the address of the consumer's HTTP server."""
        found: re.Match[str] = self.wait_for(lambda: re.search(r"http=(http://\S+)", self.log))
        return found.group(1)

    def get(self, path: str) -> str:
        """Fetch a page from the consumer's HTTP server."""
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return str(answer.read().decode())

    def progress(self) -> dict[str, Any]:
        progress: dict[str, Any] = json.loads(self.get("/progress"))
        return progress

    def wait_for(self, condition: Callable[[], Any], seconds: float = 60) -> Any:
        """Wait until a condition holds while the process lives."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            assert self.process.poll() is None, self.log
            time.sleep(0.1)
        raise AssertionError(f"no success within {seconds} s\n{self.log}")

    def end(self, number: int) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def started(log: Path, servers: str, *arguments: object) -> Iterator[Consumer]:
    """Start ``python -m consumer``, forked; the process is killed when the block ends."""
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": servers}
    process = Fork("consumer", *arguments, environment=environment, stdout=log, stderr=log)
    try:
        yield Consumer(process, log)
    finally:
        process.kill()
        process.wait()


def write(
    connection: Connection,
    topic: str,
    items: Iterable[Document | bytes | None],
    partitions: int = 1,
) -> None:
    """Write documents, or raw values, to a topic that is created when missing."""
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


class Start(Protocol):
    """Start a consumer; it is killed when the block ends."""

    def __call__(self, topic: str, *options: object) -> AbstractContextManager[Consumer]: ...


class Inspect(Protocol):
    """Inspects a topic."""

    def __call__(self, *options: object) -> list[str]: ...


class Learn(Protocol):
    """Run a consumer to its end and return its summary."""

    def __call__(self, topic: str, *options: object) -> dict[str, Any]: ...


class Run(Protocol):
    """Run a newsreel program as a user would: ``run("producer", "--limit", "5")``."""

    def __call__(
        self, module: str, *arguments: object, **variables: str
    ) -> CompletedProcess[str]: ...


class Publish(Protocol):
    """Write documents, or raw values, to a topic that is created when missing."""

    def __call__(
        self, topic: str, items: Iterable[Document | bytes | None], partitions: int = 1
    ) -> None: ...


class Build(Protocol):
    """Build a model on a tiny transformer: ``build("latent", adapters=2)``."""

    def __call__(self, learner: str, **options: Any) -> "BuiltModel": ...


Saved = Callable[["Stateful"], tuple[str, bytes]]
"""Return what the files of a checkpoint hold of a part."""

Restore = Callable[["Stateful", "Stateful"], None]
"""Restore the state of the first part in the second."""
