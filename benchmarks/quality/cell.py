"""One cell: one row learns one stream and is examined, in a process of its own."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from benchmarks.corpus import Corpus
from benchmarks.model import Classifier, Model
from benchmarks.quality import rows, streams
from benchmarks.quality.streams import Stream
from consumer.evaluation.evaluator import Evaluator
from consumer.evaluation.scores import Scores
from newsreel.common.memory import peak_rss_mb
from newsreel.events.document import Document

RECENT = 2000
"""Documents at the end of the stream whose accuracy is told by itself."""

CURVE_EVERY = 50

LOG_EVERY = 1000

HELDOUT_BATCH = 32

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Learned:
    """How a stream was learned; ``curve`` has documents and the window's accuracy."""

    whole: Scores
    recent: Scores
    seconds: float
    curve: list[tuple[int, float]]


def measure(
    name: str, stream: Stream, corpus: Corpus, seed: int, documents: int | None, heldout: int | None
) -> dict[str, Any]:
    """Return the figures of a cell, or why it is skipped, ready for JSON.

    Parameters
    ----------
    name
        Of a row.
    documents, heldout
        As `streams.make` takes them.
    """
    if stream.stripped and not corpus.raw:
        return {"skipped": f"nothing to remove in {corpus.copy}"}
    lessons, questions = streams.make(corpus, stream, seed, documents, heldout)
    try:
        if name in rows.REFERENCES:
            reference = rows.REFERENCES[name].build(corpus.labels, seed)
            reference.fit(lessons)
            model: Classifier = reference
            figures: dict[str, Any] = {}
        else:
            online = rows.ROWS[name].build(corpus.labels, seed)
            figures = _figures(learn(online, lessons))
            model = online
    except ModuleNotFoundError as error:
        return {"skipped": f"{error.name} is not installed"}
    scores = examine(model, questions)
    peak = peak_rss_mb()  # before the model is measured, which can take memory
    size = model.size()
    return known(
        {
            "documents": len(lessons),
            "heldout_documents": len(questions),
            "labels": len(corpus.labels),
            **figures,
            "heldout_accuracy": scores.accuracy,
            "heldout_macro_f1": scores.macro_f1,
            "heldout_log_loss": scores.log_loss,
            "heldout_recall": dict(sorted(scores.recall.items())),
            "peak_rss_mb": peak,
            "parameters": size.parameters,
            "checkpoint_bytes": size.checkpoint_bytes,
            "settings": dict(model.describe()),
        }
    )


def learn(
    model: Model, documents: Sequence[Document], clock: Callable[[], float] = time.perf_counter
) -> Learned:
    """Stream documents, each batch a test before it is a lesson."""
    whole, recent = Evaluator(), Evaluator()
    curve: list[tuple[int, float]] = []
    seconds = 0.0
    end = len(documents)
    for start in range(0, end, model.batch_size):
        batch = documents[start : start + model.batch_size]
        began = clock()
        predictions = model.predict_many(batch)
        model.learn_many(batch)
        seconds += clock() - began
        whole.update(predictions)
        recent.update(predictions[max(0, end - RECENT - start) :])
        done = start + len(batch)
        if done // CURVE_EVERY > start // CURVE_EVERY or done == end:
            curve.append((done, whole.scores().window.accuracy))
        if done // LOG_EVERY > start // LOG_EVERY:
            log.info("learned", documents=done, of=end, window=round(curve[-1][1], 3))
    return Learned(whole.scores().whole, recent.scores().whole, seconds, curve)


def examine(model: Classifier, documents: Sequence[Document]) -> Scores:
    """Score a model on documents that it never learns."""
    evaluator = Evaluator()
    # Alike in length, they need less padding.
    by_length = sorted(documents, key=lambda document: len(document.text))
    for start in range(0, len(by_length), HELDOUT_BATCH):
        evaluator.update(model.predict_many(by_length[start : start + HELDOUT_BATCH]))
    return evaluator.scores().whole


def _figures(learned: Learned) -> dict[str, Any]:
    return {
        "prequential_accuracy": learned.whole.accuracy,
        "prequential_accuracy_last_2000": learned.recent.accuracy,
        "prequential_macro_f1": learned.whole.macro_f1,
        "prequential_log_loss": learned.whole.log_loss,
        "documents_per_second": learned.whole.documents / learned.seconds,
        "curve": learned.curve,
    }


def known(figures: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: what isn't known is null."""
    return {
        name: None if isinstance(figure, float) and math.isnan(figure) else figure
        for name, figure in figures.items()
    }
