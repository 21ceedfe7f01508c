"""Measure the cost of partitions: naive Bayes on a backlog of one and of many, and idle."""

import re
import time
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.throughput import processes, streaming
from benchmarks.throughput.comparison import Comparison, interleave
from harness.broker import free_port
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import Document

COUNTS = (1, 200)

OPTIONS = ("--learner", "bayes")

START_SECONDS = 60.0
"""Seconds in which a consumer has to be ready."""

SETTLE_SECONDS = 4.0
"""Seconds after that in which a consumer finds out that there is nothing to read."""

IDLE_SECONDS = 10.0
"""Seconds over which the time of an idle consumer is measured."""

CPU_SECONDS = re.compile(r"^process_cpu_seconds_total (\S+)$", re.MULTILINE)


def compare(documents: Sequence[Document], rounds: int) -> list[Comparison]:
    """Learn the same documents in turns from topics with different numbers of partitions."""
    with processes.broker() as (broker, folder):
        topics = {count: _publish(broker, documents, count) for count in COUNTS}

        def learn(count: int, number: int) -> float:
            name = f"partitions-{count}-{number}"
            topic = topics[count]
            return streaming.consume(broker, folder, topic, name, len(documents), *OPTIONS)[0]

        def idle(count: int, number: int) -> float:
            name = f"partitions-{count}-{number}"
            return _idle(broker, folder / name, topics[count], f"{topics[count]}-{name}")

        sides = {_name(count): count for count in COUNTS}
        rates = interleave({name: partial(learn, n) for name, n in sides.items()}, rounds)
        shares = interleave({name: partial(idle, n) for name, n in sides.items()}, rounds)
    return [
        Comparison(
            "partitions",
            "A backlog in one partition, and in many",
            f"{len(documents):,} documents a round over Kafka, read in the order of their"
            " timestamps by a process with naive Bayes.",
            "documents/s",
            _name(COUNTS[0]),
            rates,
        ),
        Comparison(
            "partitions-idle",
            "An idle consumer of one partition, and of many",
            f"The same processes, started again with nothing left to read, over {IDLE_SECONDS:.0f}"
            " s.",
            "% of a core",
            _name(COUNTS[0]),
            shares,
        ),
    ]


def _name(count: int) -> str:
    return "1 partition" if count == 1 else f"{count} partitions"


def _publish(broker: Connection, documents: Sequence[Document], count: int) -> str:
    topic = processes.new_topic(broker, count)
    streaming.publish(broker, topic, documents)
    with kafka.admin(broker) as admin:
        admin.wait_for_topics([topic])
    return topic


def _idle(broker: Connection, folder: Path, topic: str, group: str) -> float:
    """Return the percentage of a core that a consumer takes while nothing arrives."""
    port = free_port()
    with processes.started(
        *("consumer", "--topic", topic, "--group", group, "--checkpoint-dir", folder),
        *("--http-port", port, *OPTIONS),
        connection=broker,
    ):
        _get(port, "/readyz", START_SECONDS)
        time.sleep(SETTLE_SECONDS)
        before, started = _cpu_seconds(port), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        return 100 * (_cpu_seconds(port) - before) / (time.perf_counter() - started)


def _cpu_seconds(port: int) -> float:
    (seconds,) = CPU_SECONDS.findall(_get(port, "/metrics"))
    return float(seconds)


def _get(port: int, path: str, seconds: float = 0.0) -> str:
    """Request a path; try again for some seconds while the consumer does not answer well."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)
