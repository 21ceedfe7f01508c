"""The questions of this benchmark, and how much is measured to answer them."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from benchmarks import corpus, machine, results
from benchmarks.quality import streams
from benchmarks.throughput import (
    committing,
    learning,
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
    """Rounds of each question and documents of a round, where these can be chosen."""

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
)


@dataclass(frozen=True, slots=True)
class Given:
    """What all questions are asked of: documents in the order of the stream, and held-out ones."""

    documents: Sequence[Document]
    heldout: Sequence[Document]
    seed: int
    newsgroups_path: Path | None
    effort: Effort


def _publishing(given: Given) -> list[Comparison]:
    count = given.effort.published
    path = given.newsgroups_path
    arguments = ["--limit", count, "--seed", given.seed]
    arguments += [] if path is None else ["--corpus", path]
    return publishing.compare(given.documents[:count], given.effort.publishing, arguments)


def _streaming(given: Given) -> list[Comparison]:
    count = given.effort.streamed
    path = given.newsgroups_path
    arguments = ["--documents", count, "--seed", given.seed]
    arguments += [] if path is None else ["--newsgroups-path", path]
    return streaming.compare(given.documents[:count], given.effort.streaming, arguments)


def _committing(given: Given) -> list[Comparison]:
    return committing.compare(given.documents[: given.effort.committed], given.effort.committing)


def _serving(given: Given) -> list[Comparison]:
    return serving.compare(given.documents[: given.effort.served], given.effort.serving)


def _watching(given: Given) -> list[Comparison]:
    count = given.effort.watched
    return watching.compare(given.documents[:count], given.heldout, given.effort.watching)


def _learning(given: Given) -> list[Comparison]:
    rounds = given.effort.learning
    return learning.compare(given.documents[: learning.needed(rounds)], rounds)


def _scaling(given: Given) -> list[Comparison]:
    return scaling.compare(given.documents[: given.effort.memories], given.effort.scaling)


QUESTIONS: Mapping[str, Callable[[Given], list[Comparison]]] = {
    "publishing": _publishing,
    "streaming": _streaming,
    "committing": _committing,
    "serving": _serving,
    "watching": _watching,
    "learning": _learning,
    "scaling": _scaling,
}


def ask(
    names: Sequence[str], folder: Path, effort: Effort, seed: int, newsgroups_path: Path | None
) -> None:
    """Answer questions, and write ``throughput.json`` and ``throughput.md``."""
    copy = corpus.load(newsgroups_path)
    raw = streams.STREAMS["raw"]
    documents, heldout = streams.make(copy, raw, seed, None, watching.HELD_OUT)
    given = Given(documents, heldout, seed, newsgroups_path, effort)
    before = _load()
    comparisons = []
    for name in names:
        log.info("question", name=name)
        comparisons += QUESTIONS[name](given)
    about: dict[str, Any] = {
        "seed": seed,
        "corpus": {"copy": copy.copy, "fingerprint": copy.fingerprint},
        "load": [before, _load()],
        "machine": machine.machine(),
        "versions": machine.versions(LIBRARIES),
    }
    summaries = [comparison.summary() for comparison in comparisons]
    results.write(folder / "throughput.json", about | {"comparisons": summaries})
    table = folder / "throughput.md"
    table.write_text(report.markdown(comparisons, about))
    log.info("reported", table=str(table))


def _load() -> float:
    """Return how many processes want a core, on average of a minute."""
    return round(os.getloadavg()[0], 1)
