"""One row learns one scenario: how well, how it forgets, when it notices, how soon it recovers."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import structlog

from benchmarks.model import Model
from benchmarks.quality import cell
from benchmarks.scenarios.columns import Scenario
from consumer.drift.adaptation import ERROR, INPUTS, Drift
from consumer.evaluation.forgetting import Forgetting
from consumer.evaluation.scores import Scores
from newsreel.events.document import Document

EXAMINED_EVERY = 1000
"""Documents between examinations; there is one before each change and at the end, too."""

WINDOW = 300
"""Documents over whose accuracy recovery is told."""

BEFORE = 1000
"""Documents before a change whose accuracy is to be recovered."""

RECOVERED = 0.03
"""So near to it."""

PATIENCE = 1000
"""Documents after a change during which it may be noticed: later is a false alarm."""

CURVE_EVERY = 50

log = structlog.get_logger()


def measure(
    model: Model, scenario: Scenario, some: Sequence[Document], heldout: Sequence[Document]
) -> dict[str, Any]:
    """Return the figures of a cell, ready for JSON.

    Parameters
    ----------
    some, heldout
        Held-out documents to examine it on in mid-stream, and at the end.
    """
    exams: list[tuple[int, Scores]] = []
    end = len(scenario.documents)

    def examine(number: int) -> None:
        exams.append((number, cell.examine(model, scenario.asked(some, number))))

    hits = (
        _learn_late(model, scenario, examine) if scenario.late else _learn(model, scenario, examine)
    )
    final = cell.examine(model, scenario.asked(heldout, end))
    drifts: list[Drift] = getattr(model, "drifts", [])
    noticed = [drift for drift in drifts if not drift.forgotten]
    return cell.known(
        {
            "documents": end,
            "heldout_documents": len(heldout),
            "prequential_accuracy": float(np.mean(hits)),
            "anytime_accuracy": float(np.mean(_anytime(exams, scenario.documents))),
            "heldout_accuracy": final.accuracy,
            "forgetting": _forgetting(exams),
            "backward_transfer": _backward_transfer(exams, scenario.documents),
            "delay": _delay(ERROR, noticed, scenario.moments),
            "delay_inputs": _delay(INPUTS, noticed, scenario.moments),
            "false_alarms": _false_alarms(ERROR, noticed, scenario.moments),
            "false_alarms_inputs": _false_alarms(INPUTS, noticed, scenario.moments),
            "recovery": recovery(hits, scenario.moments),
            "changes": scenario.moments,
            "drifts": [asdict(drift) for drift in drifts],
            "curve": _curve(hits),
        }
    )


def _learn(model: Model, scenario: Scenario, examine: Callable[[int], None]) -> list[bool]:
    """Predict, then learn; returns whether each prediction was right."""
    hits: list[bool] = []
    for start, done, batch in _batches(model, scenario.documents):
        if any(start <= moment < done for moment in scenario.moments):
            examine(start)
        hits += [prediction.correct for prediction in model.predict_many(batch)]
        model.learn_many(batch)
        if _is_due(start, done, scenario):
            examine(done)
    return hits


def _learn_late(model: Model, scenario: Scenario, examine: Callable[[int], None]) -> list[bool]:
    """Predict, and learn what has its label by now; returns whether predictions were right.

    Those are the ones made at arrival, in the order of the labels.
    """
    hits: list[bool] = []
    said: list[str | None] = []
    ready: list[Document] = []
    labels = list(scenario.late)
    for start, done, batch in _batches(model, scenario.documents):
        unlabelled = [replace(one, label=None) for one in batch]
        said += [prediction.predicted.label for prediction in model.predict_many(unlabelled)]
        last = done == len(scenario.documents)
        while labels and (labels[0][0] <= done or last):
            place = labels.pop(0)[1]
            ready.append(scenario.documents[place])
            hits.append(said[place] == ready[-1].label)
        while len(ready) >= model.batch_size or (last and ready):
            some, ready = ready[: model.batch_size], ready[model.batch_size :]
            model.predict_many(some)
            model.learn_many(some)
        if _is_due(start, done, scenario):
            examine(done)
    return hits


def _batches(
    model: Model, stream: Sequence[Document]
) -> Iterator[tuple[int, int, Sequence[Document]]]:
    for start in range(0, len(stream), model.batch_size):
        batch = stream[start : start + model.batch_size]
        yield start, start + len(batch), batch


def _is_due(start: int, done: int, scenario: Scenario) -> bool:
    last = done == len(scenario.documents)
    return last or done // EXAMINED_EVERY > start // EXAMINED_EVERY


def _anytime(exams: Sequence[tuple[int, Scores]], stream: Sequence[Document]) -> list[float]:
    """Accuracy on the held-out documents of labels seen so far, at each examination.

    Their mean is the average anytime accuracy (Caccia et al. 2021).
    """
    found = []
    for number, scores in exams:
        seen = {document.label for document in stream[:number]}
        counted = {label: scores.counts[label] for label in scores.recall if label in seen}
        hits = sum(scores.recall[label] * count for label, count in counted.items())
        found.append(hits / max(1, sum(counted.values())))
    return found


def _forgetting(exams: Sequence[tuple[int, Scores]]) -> float:
    forgetting = Forgetting()
    for _, scores in exams:
        forgetting.update(scores.recall, scores.counts)
    return forgetting.mean


def _backward_transfer(exams: Sequence[tuple[int, Scores]], stream: Sequence[Document]) -> float:
    """Recall at the end less that at the first examination after a label came, mean over labels.

    Lopez-Paz and Ranzato (2017), "Gradient episodic memory", with labels for tasks.
    """
    first: dict[str, float] = {}
    for number, scores in exams:
        seen = {document.label for document in stream[:number]}
        for label, recall in scores.recall.items():
            if label in seen:
                first.setdefault(label, recall)
    now = exams[-1][1].recall
    return float(np.mean([now[label] - recall for label, recall in first.items()]))


def _delay(detector: str, noticed: Sequence[Drift], moments: Sequence[int]) -> float:
    """Documents from a change until it was noticed, mean over changes; `nan` if one was missed."""
    delays = []
    for moment in moments:
        after = [
            drift.documents - moment
            for drift in noticed
            if drift.detector == detector and 0 < drift.documents - moment <= PATIENCE
        ]
        delays.append(min(after, default=math.nan))
    return float(np.mean(delays)) if delays else math.nan


def _false_alarms(detector: str, noticed: Sequence[Drift], moments: Sequence[int]) -> int:
    """Count drifts that were noticed where nothing had changed lately."""
    return sum(
        drift.detector == detector
        and not any(0 < drift.documents - moment <= PATIENCE for moment in moments)
        for drift in noticed
    )


def recovery(hits: Sequence[bool], moments: Sequence[int]) -> float:
    """Return the documents from the first change until accuracy is what it was before.

    That is until the accuracy of the last `WINDOW` documents, all after the change, is at least
    that of the `BEFORE` before it, less `RECOVERED`; `nan` where it never is.
    """
    if not moments or moments[0] < WINDOW:
        return math.nan
    first = moments[0]
    wanted = np.mean(hits[max(0, first - BEFORE) : first]) - RECOVERED
    sums = np.concatenate([[0], np.cumsum(hits[first:])])
    windows = (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW
    there = np.flatnonzero(windows >= wanted)
    return float(there[0] + WINDOW) if len(there) else math.nan


def _curve(hits: Sequence[bool]) -> list[tuple[int, float]]:
    """Accuracy over the last `WINDOW` documents, or as many as there were."""
    return [
        (number, round(float(np.mean(hits[max(0, number - WINDOW) : number])), 4))
        for number in [*range(CURVE_EVERY, len(hits), CURVE_EVERY), len(hits)]
    ]
