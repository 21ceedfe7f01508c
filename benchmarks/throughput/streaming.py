"""What does Kafka cost? The consumer against the same learner fed from memory."""

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
from producer import connection
from producer.publisher import PublishCounts

IDLE_SECONDS = 60


def compare(
    documents: Sequence[Document], rounds: int, arguments: Sequence[object]
) -> list[Comparison]:
    """Let processes learn the documents in turns, from memory and from a topic.

    Parameters
    ----------
    arguments
        What makes ``python -m benchmarks memory`` learn the same documents.
    """
    with processes.broker() as (broker, folder):
        topic = published(broker, documents)

        def memory(number: int) -> float:
            summary = folder / f"memory-{number}.json"
            processes.run("benchmarks", "memory", *arguments, "--summary", summary)
            return rate(summary, len(documents))

        def consumer(number: int) -> float:
            return learned(broker, folder, topic, f"kafka-{number}", len(documents))[0]

        figures = interleave({"from memory": memory, "over Kafka": consumer}, rounds)
    return [
        Comparison(
            "streaming",
            "The consumer over Kafka, and the same learner fed from memory",
            f"{len(documents):,} documents a round, published beforehand; each side is a process"
            " with default settings and tells its own rate, which starts with its first batch."
            " Over Kafka it also commits checkpoints, every 5,000 documents.",
            "documents/s",
            "from memory",
            figures,
        )
    ]


def published(broker: Connection, documents: Sequence[Document]) -> str:
    """Publish documents on a topic of their own; returns its name."""
    topic = processes.new_topic(broker)
    publish(broker, topic, documents)
    return topic


def publish(broker: Connection, topic: str, documents: Iterable[Document]) -> None:
    """Publish documents on a topic, which is created where it is missing."""
    with kafka.admin(broker) as admin:
        kafka.ensure(admin, topic, count=1)
    with connection.connect(broker, topic, "benchmarks", PublishCounts()) as publisher:
        for document in documents:
            publisher.publish(document)


def learned(
    broker: Connection,
    folder: Path,
    topic: str,
    name: str,
    count: int,
    *options: object,
    port: int = 0,
    threads: int | None = None,
) -> tuple[float, str]:
    """Let a new consumer learn a topic; returns documents per second, and its log.

    Parameters
    ----------
    folder, name
        Its checkpoints are in the folder of that name there.
    count
        Documents to learn.
    options
        Beyond the defaults.
    port
        Where it serves HTTP; 0 for anywhere.
    threads
        That it computes with; None for its default.
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


def from_memory(documents: Sequence[Document]) -> dict[str, Any]:
    """Learn documents by the default settings; returns a summary as the consumer's."""
    progress = Progress()
    for step in newsreel.steps(newsreel.build_loop(), documents):
        progress.observe(step)
    return summary.summarize(progress.snapshot(), None)


def rate(summary: Path, documents: int) -> float:
    """Return the documents per second that a summary tells, if it tells of all."""
    figures = json.loads(summary.read_text())
    if figures["documents"] != documents:
        raise processes.ProgramError(
            f"{figures['documents']} documents were learned and not {documents}; try again"
        )
    return float(figures["documents_per_second"])
