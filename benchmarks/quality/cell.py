"""One cell: a row learns a stream and is evaluated on held-out documents."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from benchmarks.corpus import NewsgroupsCorpus
from benchmarks.model import Evaluable, Model
from benchmarks.quality import rows, streams
from benchmarks.quality.streams import Stream
from consumer.evaluation.evaluator import Evaluator
from consumer.evaluation.scores import Scores
from newsreel.common.json_file import without_nan
from newsreel.common.memory import peak_rss_mb
from newsreel.events.document import Document

RECENT = 2000
"""Documents at the end of the stream with an accuracy of their own."""

CURVE_EVERY = 50
"""Documents between two points of a curve."""

CURVE_DIGITS = 4
"""Decimals of an accuracy on a curve."""

LOG_EVERY = 1000
"""Documents between two log lines."""

HELDOUT_BATCH = 32

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """Scores over a stream.

    Attributes
    ----------
    whole, recent
        Scores of all predictions, and of the last `RECENT` of them.
    seconds
        Time of the model alone.
    curve
        Documents so far, and accuracy over the evaluator's window.
    """

    whole: Scores
    recent: Scores
    seconds: float
    curve: list[tuple[int, float]]

    def summary(self) -> dict[str, Any]:
        """Return the figures as fields of a cell."""
        return {
            "prequential_accuracy": self.whole.accuracy,
            "prequential_accuracy_last_2000": self.recent.accuracy,
            "prequential_macro_f1": self.whole.macro_f1,
            "prequential_log_loss": self.whole.log_loss,
            "documents_per_second": self.whole.documents / self.seconds,
            "curve": self.curve,
        }


def measure(
    name: str,
    stream: Stream,
    corpus: NewsgroupsCorpus,
    seed: int,
    documents: int | None,
    heldout: int | None,
) -> dict[str, Any]:
    """Return the figures of a cell, or the reason why it is skipped, as JSON values.

    Parameters
    ----------
    name
        Name of a row.
    documents, heldout
        Limits, as for `streams.make`.
    """
    if stream.stripped and not corpus.raw:
        return {"skipped": f"nothing to remove in {corpus.copy}"}
    train, test = streams.make(corpus, stream, seed, documents, heldout)
    try:
        if name in rows.REFERENCES:
            reference = rows.REFERENCES[name].build(corpus.labels, seed)
            reference.fit(train)
            model: Evaluable = reference
            figures: dict[str, Any] = {}
        else:
            online = rows.ROWS[name].build(corpus.labels, seed)
            figures = learn(online, train).summary()
            model = online
    except ModuleNotFoundError as error:
        return {"skipped": f"{error.name} is not installed"}
    scores = evaluate(model, test)
    peak = peak_rss_mb()  # before `size`, which can take memory
    size = model.size()
    return without_nan(
        {
            "documents": len(train),
            "heldout_documents": len(test),
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
) -> StreamFigures:
    """Predict and then learn each batch of a stream (prequential evaluation)."""
    whole, recent = Evaluator(), Evaluator()
    curve: list[tuple[int, float]] = []
    seconds = 0.0
    end = len(documents)
    for start in range(0, end, model.batch_size):
        batch = documents[start : start + model.batch_size]
        started = clock()
        predictions = model.predict_many(batch)
        model.learn_many(batch)
        seconds += clock() - started
        whole.update(predictions)
        recent.update(predictions[max(0, end - RECENT - start) :])
        done = start + len(batch)
        if done // CURVE_EVERY > start // CURVE_EVERY or done == end:
            curve.append((done, round(whole.scores().window.accuracy, CURVE_DIGITS)))
        if done // LOG_EVERY > start // LOG_EVERY:
            log.info("learned", documents=done, of=end, window=round(curve[-1][1], 3))
    return StreamFigures(whole.scores().whole, recent.scores().whole, seconds, curve)


def evaluate(model: Evaluable, documents: Sequence[Document]) -> Scores:
    """Score a model on held-out documents."""
    evaluator = Evaluator()
    # Batches of similar length need less padding.
    by_length = sorted(documents, key=lambda document: len(document.text))
    for start in range(0, len(by_length), HELDOUT_BATCH):
        evaluator.update(model.predict_many(by_length[start : start + HELDOUT_BATCH]))
    return evaluator.scores().whole
