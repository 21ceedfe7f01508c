"""Measure a row on a scenario: accuracy, forgetting, delay of drift detection, recovery."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import structlog

from benchmarks.model import Model
from benchmarks.quality import cell
from benchmarks.scenarios.columns import BenchmarkScenario
from consumer.drift.adaptation import ERROR, INPUTS, Drift
from consumer.evaluation.forgetting import Forgetting
from consumer.evaluation.scores import Scores
from newsreel.common.json_file import without_nan
from newsreel.events.document import Document

EVALUATE_EVERY = 1000
"""Documents between evaluations; others are before each change and at the end."""

WINDOW = 300
"""Documents of the window whose accuracy has to recover."""

BEFORE = 1000
"""Documents before a change, whose accuracy is to be reached again."""

RECOVERED = 0.03
"""Distance to the accuracy before a change that counts as recovered."""

PATIENCE = 1000
"""Documents after a change in which a detection counts; a later one is a false alarm."""

CURVE_EVERY = 50
"""Documents between two points of a curve."""

Evaluations = Sequence[tuple[int, Scores]]
"""Documents of the stream so far, and scores on held-out documents."""

log = structlog.get_logger()


def measure(
    model: Model, scenario: BenchmarkScenario, some: Sequence[Document], heldout: Sequence[Document]
) -> dict[str, Any]:
    """Return the figures of a cell as JSON values.

    Parameters
    ----------
    some, heldout
        Held-out documents of the evaluations in mid-stream, and of the one at the end.
    """
    evaluations: list[tuple[int, Scores]] = []
    end = len(scenario.documents)

    def evaluate(number: int) -> None:
        evaluations.append((number, cell.evaluate(model, scenario.renamed(some, number))))

    learn = _learn_late if scenario.late else _learn
    hits = learn(model, scenario, evaluate)
    final = cell.evaluate(model, scenario.renamed(heldout, end))
    drifts: list[Drift] = getattr(model, "drifts", [])
    detected = [drift for drift in drifts if not drift.forgotten]
    return without_nan(
        {
            "documents": end,
            "heldout_documents": len(heldout),
            "prequential_accuracy": float(np.mean(hits)),
            "anytime_accuracy": float(np.mean(_anytime(evaluations, scenario.documents))),
            "heldout_accuracy": final.accuracy,
            "forgetting": _forgetting(evaluations),
            "backward_transfer": _backward_transfer(evaluations, scenario.documents),
            "delay": _delay(ERROR, detected, scenario.moments),
            "delay_inputs": _delay(INPUTS, detected, scenario.moments),
            "false_alarms": _false_alarms(ERROR, detected, scenario.moments),
            "false_alarms_inputs": _false_alarms(INPUTS, detected, scenario.moments),
            "recovery": recovery(hits, scenario.moments),
            "changes": scenario.moments,
            "drifts": [asdict(drift) for drift in drifts],
            "curve": _curve(hits),
        }
    )


def _learn(
    model: Model, scenario: BenchmarkScenario, evaluate: Callable[[int], None]
) -> list[bool]:
    """Predict, then learn each batch; return whether each prediction was right."""
    hits: list[bool] = []
    for start, done, batch in _batches(model, scenario.documents):
        if any(start <= moment < done for moment in scenario.moments):
            evaluate(start)
        hits += [prediction.correct for prediction in model.predict_many(batch)]
        model.learn_many(batch)
        if _is_due(start, done, scenario):
            evaluate(done)
    return hits


def _learn_late(
    model: Model, scenario: BenchmarkScenario, evaluate: Callable[[int], None]
) -> list[bool]:
    """Predict each batch, then learn the documents whose labels have arrived.

    Returns
    -------
    list of bool
        Whether the predictions made at arrival were right, in the order of the labels.
    """
    hits: list[bool] = []
    predicted: list[str | None] = []
    ready: list[Document] = []
    labels = list(scenario.late)
    for start, done, batch in _batches(model, scenario.documents):
        unlabelled = [replace(document, label=None) for document in batch]
        predicted += [prediction.predicted.label for prediction in model.predict_many(unlabelled)]
        last = done == len(scenario.documents)
        while labels and (labels[0][0] <= done or last):
            index = labels.pop(0)[1]
            ready.append(scenario.documents[index])
            hits.append(predicted[index] == ready[-1].label)
        while len(ready) >= model.batch_size or (last and ready):
            some, ready = ready[: model.batch_size], ready[model.batch_size :]
            model.predict_many(some)
            model.learn_many(some)
        if _is_due(start, done, scenario):
            evaluate(done)
    return hits


def _batches(
    model: Model, stream: Sequence[Document]
) -> Iterator[tuple[int, int, Sequence[Document]]]:
    for start in range(0, len(stream), model.batch_size):
        batch = stream[start : start + model.batch_size]
        yield start, start + len(batch), batch


def _is_due(start: int, done: int, scenario: BenchmarkScenario) -> bool:
    last = done == len(scenario.documents)
    return last or done // EVALUATE_EVERY > start // EVALUATE_EVERY


def _anytime(evaluations: Evaluations, stream: Sequence[Document]) -> list[float]:
    """Return the accuracy on the labels seen so far at each evaluation.

    The mean of these is the average anytime accuracy (Caccia et al. 2021).
    """
    accuracies = []
    for number, scores in evaluations:
        seen = {document.label for document in stream[:number]}
        counted = {label: scores.counts[label] for label in scores.recall if label in seen}
        hits = sum(scores.recall[label] * count for label, count in counted.items())
        accuracies.append(hits / max(1, sum(counted.values())))
    return accuracies


def _forgetting(evaluations: Evaluations) -> float:
    forgetting = Forgetting()
    for _, scores in evaluations:
        forgetting.update(scores.recall, scores.counts)
    return forgetting.mean


def _backward_transfer(evaluations: Evaluations, stream: Sequence[Document]) -> float:
    """Return the recall at the end less that at the first evaluation with the label, label mean.

    Lopez-Paz and Ranzato (2017), "Gradient episodic memory", with labels for tasks.
    """
    first: dict[str, float] = {}
    for number, scores in evaluations:
        seen = {document.label for document in stream[:number]}
        for label, recall in scores.recall.items():
            if label in seen:
                first.setdefault(label, recall)
    last = evaluations[-1][1].recall
    return float(np.mean([last[label] - recall for label, recall in first.items()]))


def _delay(detector: str, detected: Sequence[Drift], moments: Sequence[int]) -> float:
    """Return the documents from a change to its detection, change mean; `nan` if one is missed."""
    delays = []
    for moment in moments:
        after = [
            drift.documents - moment
            for drift in detected
            if drift.detector == detector and 0 < drift.documents - moment <= PATIENCE
        ]
        delays.append(min(after, default=math.nan))
    return float(np.mean(delays)) if delays else math.nan


def _false_alarms(detector: str, detected: Sequence[Drift], moments: Sequence[int]) -> int:
    """Count drifts detected more than `PATIENCE` documents after any change."""
    return sum(
        drift.detector == detector
        and not any(0 < drift.documents - moment <= PATIENCE for moment in moments)
        for drift in detected
    )


def recovery(hits: Sequence[bool], moments: Sequence[int]) -> float:
    """Return the documents from the first change until accuracy has recovered.

    Accuracy has recovered when the last `WINDOW` documents, all after the change, are predicted as
    accurately as the `BEFORE` documents before the change, less `RECOVERED`; `nan` if never.
    """
    if not moments or moments[0] < WINDOW:
        return math.nan
    first = moments[0]
    wanted = np.mean(hits[max(0, first - BEFORE) : first]) - RECOVERED
    sums = np.concatenate([[0], np.cumsum(hits[first:])])
    windows = (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW
    recovered = np.flatnonzero(windows >= wanted)
    return float(recovered[0] + WINDOW) if len(recovered) else math.nan


def _curve(hits: Sequence[bool]) -> list[tuple[int, float]]:
    """Return numbers of documents and the accuracy over the last `WINDOW` of these."""
    return [
        (number, round(float(np.mean(hits[max(0, number - WINDOW) : number])), 4))
        for number in [*range(CURVE_EVERY, len(hits), CURVE_EVERY), len(hits)]
    ]
