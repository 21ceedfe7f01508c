"""Measure the cost of Kafka: the consumer over Kafka, and the same learner fed from memory."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import newsreel
from benchmarks.throughput import processes
from benchmarks.throughput.comparison import Comparison, interleave
from consumer.monitoring import summary
from consumer.monitoring.progress import Progress
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import Document
from newsreel.events.topics import Names
from producer import connection
from producer.publisher import PublishCounts

IDLE_SECONDS = 60


def compare(
    documents: Sequence[Document], rounds: int, arguments: Sequence[object]
) -> list[Comparison]:
    """Learn the documents in turns from memory and from a topic, each time in a new process.

    Parameters
    ----------
    arguments
        Options of ``python -m benchmarks memory`` that learn the same documents.
    """
    with processes.broker() as (broker, folder):
        topic = publish_to_new_topic(broker, documents)

        def memory(number: int) -> float:
            summary = folder / f"memory-{number}.json"
            processes.run("benchmarks", "memory", *arguments, "--summary", summary)
            return rate(summary, len(documents))

        def consumer(number: int) -> float:
            return consume(broker, folder, topic, f"kafka-{number}", len(documents))[0]

        figures = interleave({"from memory": memory, "over Kafka": consumer}, rounds)
    return [
        Comparison(
            "streaming",
            "The consumer over Kafka, and the same learner fed from memory",
            f"{len(documents):,} documents a round, published beforehand; each side is a process"
            " with default settings that reports its own rate, measured from its first batch."
            " Over Kafka it also commits checkpoints, every 5,000 documents.",
            "documents/s",
            "from memory",
            figures,
        )
    ]


def publish_to_new_topic(broker: Connection, documents: Sequence[Document]) -> str:
    """Publish documents to a new topic; return its name."""
    topic = processes.new_topic(broker)
    publish(broker, topic, documents)
    return topic


def publish(broker: Connection, topic: str, documents: Iterable[Document]) -> None:
    """Publish documents to a topic; create a missing topic."""
    with kafka.admin(broker) as admin:
        kafka.ensure(admin, topic, count=1)
    with connection.connect(broker, Names.of(topic), "benchmarks", PublishCounts()) as publisher:
        for document in documents:
            publisher.publish(document)


def consume(
    broker: Connection,
    folder: Path,
    topic: str,
    name: str,
    count: int,
    *options: object,
    port: int = 0,
    threads: int | None = None,
) -> tuple[float, str]:
    """Learn a topic with a new consumer; return documents per second, and the consumer's log.

    Parameters
    ----------
    folder
        Folder for the consumer's checkpoints and summary.
    name
        Name of these, and suffix of the consumer group.
    count
        Number of documents to learn.
    options
        Command-line options beyond the defaults.
    port
        Port of the consumer's HTTP server; 0 for a free one.
    threads
        Threads that the consumer computes with; None for its default.
    """
    summary = folder / f"{name}.json"
    log = processes.run(
        "consumer",
        *("--topic", topic, "--group", f"{topic}-{name}", "--http-port", port),
        *("--checkpoint-dir", folder / name, "--summary", summary),
        *("--stop-after", count, "--stop-when-idle", IDLE_SECONDS),
        *options,
        connection=broker,
        threads=threads,
    )
    return rate(summary, count), log


def learn_from_memory(documents: Sequence[Document]) -> dict[str, Any]:
    """Learn documents with the default settings; return a summary like the consumer's."""
    progress = Progress()
    for step in newsreel.steps(newsreel.build_loop(), documents):
        progress.observe(step)
    return summary.summarize(progress.snapshot(), None)


def rate(summary: Path, documents: int) -> float:
    """Return the documents per second of a summary.

    Raises
    ------
    ProgramError
        The summary has another number of documents.
    """
    figures = json.loads(summary.read_text())
    if figures["documents"] != documents:
        raise processes.ProgramError(
            f"{figures['documents']} of {documents} documents were learned; try again"
        )
    return float(figures["documents_per_second"])
