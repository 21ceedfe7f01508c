"""Questions of the throughput benchmark, and the effort to answer them."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from benchmarks import corpus, machine, results
from benchmarks.quality import streams
from benchmarks.results import ResultsFile
from benchmarks.throughput import (
    brokers,
    committing,
    learning,
    partitions,
    publishing,
    report,
    scaling,
    serving,
    streaming,
    watching,
)
from benchmarks.throughput.comparison import Comparison
from newsreel.events.document import Document

LIBRARIES = (*machine.LIBRARIES[:4], "openvino", "kafka-python", "noida-db")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds of each question, and documents of a round."""

    streaming: int
    streamed: int
    committing: int
    committed: int
    serving: int
    served: int
    watching: int
    watched: int
    learning: int
    publishing: int
    published: int
    scaling: int
    memories: int
    partitions: int
    partitioned: int
    brokers: int
    brokered: int


FULL = Effort(
    streaming=3,
    streamed=5024,
    committing=2,
    committed=11_264,
    serving=3,
    served=2016,
    watching=3,
    watched=3200,
    learning=9,
    publishing=7,
    published=8000,
    scaling=11,
    memories=512,
    partitions=3,
    partitioned=11_264,
    brokers=7,
    brokered=8000,
)

QUICK = Effort(
    streaming=1,
    streamed=192,
    committing=1,
    committed=640,
    serving=1,
    served=320,
    watching=1,
    watched=1280,
    learning=2,
    publishing=3,
    published=3000,
    scaling=2,
    memories=64,
    partitions=1,
    partitioned=4000,
    brokers=2,
    brokered=2000,
)


@dataclass(frozen=True, slots=True)
class Task:
    """Documents in the order of the stream, held-out documents, their source, and the effort."""

    documents: Sequence[Document]
    heldout: Sequence[Document]
    seed: int
    newsgroups_path: Path | None
    effort: Effort


def _publishing(task: Task) -> list[Comparison]:
    count = task.effort.published
    path = task.newsgroups_path
    arguments = ["--limit", count, "--seed", task.seed]
    arguments += [] if path is None else ["--corpus", path]
    return publishing.compare(task.documents[:count], task.effort.publishing, arguments)


def _streaming(task: Task) -> list[Comparison]:
    count = task.effort.streamed
    path = task.newsgroups_path
    arguments = ["--documents", count, "--seed", task.seed]
    arguments += [] if path is None else ["--newsgroups-path", path]
    return streaming.compare(task.documents[:count], task.effort.streaming, arguments)


def _committing(task: Task) -> list[Comparison]:
    return committing.compare(task.documents[: task.effort.committed], task.effort.committing)


def _serving(task: Task) -> list[Comparison]:
    return serving.compare(task.documents[: task.effort.served], task.effort.serving)


def _watching(task: Task) -> list[Comparison]:
    count = task.effort.watched
    return watching.compare(task.documents[:count], task.heldout, task.effort.watching)


def _learning(task: Task) -> list[Comparison]:
    rounds = task.effort.learning
    return learning.compare(task.documents[: learning.needed(rounds)], rounds)


def _scaling(task: Task) -> list[Comparison]:
    return scaling.compare(task.documents[: task.effort.memories], task.effort.scaling)


def _partitions(task: Task) -> list[Comparison]:
    count = task.effort.partitioned
    return partitions.compare(task.documents[:count], task.effort.partitions)


def _brokers(task: Task) -> list[Comparison]:
    return brokers.compare(task.documents[: task.effort.brokered], task.effort.brokers)


QUESTIONS: Mapping[str, Callable[[Task], list[Comparison]]] = {
    "publishing": _publishing,
    "streaming": _streaming,
    "committing": _committing,
    "serving": _serving,
    "watching": _watching,
    "learning": _learning,
    "scaling": _scaling,
    "partitions": _partitions,
    "brokers": _brokers,
}


def answer(
    names: Sequence[str], folder: Path, effort: Effort, seed: int, newsgroups_path: Path | None
) -> None:
    """Answer questions; write ``throughput.json`` and a report of all its cells."""
    copy = corpus.load(newsgroups_path)
    raw = streams.STREAMS["raw"]
    documents, heldout = streams.make(copy, raw, seed, None, watching.HELD_OUT)
    task = Task(documents, heldout, seed, newsgroups_path, effort)
    before = _load()
    comparisons = []
    for name in names:
        log.info("question", name=name)
        comparisons += QUESTIONS[name](task)
    conditions = {**results.conditions(copy, seed, LIBRARIES), "load": [before, _load()]}
    file = ResultsFile(folder / "throughput.json", "name")
    file.put(*({**comparison.summary(), **conditions} for comparison in comparisons))
    table = folder / "throughput.md"
    table.write_text(report.markdown(file.read()))
    log.info("reported", table=str(table))


def _load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 1)
