"""Measure the embedded Kafka, Apache Kafka and a cluster of three brokers side by side."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from benchmarks.throughput import processes, streaming
from benchmarks.throughput.comparison import Comparison, interleave
from consumer.checkpoints.interrupts import UNINTERRUPTED
from consumer.kafka import patches
from consumer.kafka.client import connect
from consumer.kafka.outbox import Outgoing
from consumer.kafka.poller import Poller
from consumer.kafka.topic_client import TopicClient
from consumer.kafka.transaction import Transactions
from consumer.monitoring.learning_metrics import Metrics
from harness import kinds
from harness.kinds import Kind
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import Document
from newsreel.events.topics import Names

SIDES: dict[str, Kind] = {
    "embedded": "embedded",
    "Apache Kafka": "apache",
    "three brokers": "cluster",
}

QUEUED = 256
"""Records that the consumer's queue holds, with its default micro-batches."""

COMMITS = 10
"""Commits of a round."""

PREDICTIONS = 500
"""Predictions of a commit."""

PREDICTION = b'{"id":"%05d","probabilities":{"a.label":0.5}}' + b" " * 450
"""A prediction of the usual size."""


def compare(documents: Sequence[Document], rounds: int) -> list[Comparison]:
    """Publish documents, read them and commit predictions, in turns on each Kafka."""
    patches.install()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newsreel-")))
        connections = {side: _start(kind, folder / kind, stack) for side, kind in SIDES.items()}
        topics = {
            side: streaming.publish_to_new_topic(connection, documents)
            for side, connection in connections.items()
        }
        publish = {
            side: partial(_publish, connection, documents)
            for side, connection in connections.items()
        }
        read = {
            side: partial(_read, connection, topics[side], len(documents))
            for side, connection in connections.items()
        }
        commit = {
            side: partial(_commit, connection, topics[side])
            for side, connection in connections.items()
        }
        figures = [interleave(sides, rounds, warm_up=1) for sides in (publish, read, commit)]
    about = f"{len(documents):,} documents a round, on one machine for clients and brokers."
    return [
        Comparison(
            "brokers-publish",
            "Publishing to the embedded Kafka, Apache Kafka and three brokers",
            f"{about} The producer's client, with all acknowledgements.",
            "documents/s",
            "embedded",
            figures[0],
        ),
        Comparison(
            "brokers-read",
            "Reading from each of them",
            f"{about} The consumer's poller and queue, from connecting to the last record.",
            "records/s",
            "embedded",
            figures[1],
        ),
        Comparison(
            "brokers-commit",
            "Committing to each of them",
            f"One transaction with {PREDICTIONS} predictions and the offsets; the mean of"
            f" {COMMITS} a round.",
            "s",
            "embedded",
            figures[2],
        ),
    ]


def _start(kind: Kind, folder: Path, stack: ExitStack) -> Connection:
    started = kinds.build(kind, folder)
    stack.enter_context(started)
    return Connection(started.bootstrap_servers)


def _publish(connection: Connection, documents: Sequence[Document], _: int) -> float:
    topic = processes.new_topic(connection)
    started = time.perf_counter()
    streaming.publish(connection, topic, documents)
    return len(documents) / (time.perf_counter() - started)


def _read(connection: Connection, topic: str, count: int, _: int) -> float:
    started = time.perf_counter()
    observer = Metrics(CollectorRegistry())
    client = TopicClient(connect(connection.options), topic, lambda: connect(connection.options))
    poller = Poller(client, {0: 0}, QUEUED, "stop", observer)
    poller.start()
    read = 0
    while read < count:
        read += poller.queue.take(1.0) is not None
    seconds = time.perf_counter() - started
    poller.close()
    return count / seconds


def _commit(connection: Connection, topic: str, number: int) -> float:
    predictions = Names.of(topic).predictions
    with kafka.admin(connection) as admin:
        kafka.ensure(admin, predictions, count=1)
    records = [Outgoing(predictions, b"%05d" % n, PREDICTION % n, []) for n in range(PREDICTIONS)]
    observer = Metrics(CollectorRegistry())
    transactions = Transactions(connection, f"{topic}-{number}", topic, UNINTERRUPTED, observer)
    transactions.begin()
    started = time.perf_counter()
    for commit in range(COMMITS):
        transactions.commit(records, {0: commit}, f"{commit:03d}")
    seconds = time.perf_counter() - started
    transactions.close()
    return seconds / COMMITS
