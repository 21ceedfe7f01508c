"""The loop: predict, score, learn, remember."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumer.evaluation import Evaluator, Prediction, Prequential
from consumer.labels import LabelSet
from consumer.learners.protocol import Learner
from consumer.micro_batch import MicroBatch
from consumer.replay import ReplayBuffer
from consumer.source import Batch, DeadLetter
from events.document import Document


class Source(Protocol):
    """Where batches of documents come from."""

    def read(self, at_most: int) -> Batch | None:
        """Wait for documents; None when there will be no more."""
        ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """One learning step: its new documents, the replayed ones, and their mean loss in nats."""

    documents: int
    replayed: int
    loss: float


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the loop: all that metrics, progress and checkpoints need to know of it.

    ``positions`` and ``lag`` are by partition: the next offset to read, and how many records wait
    behind it. ``seconds`` are by stage.
    """

    positions: Mapping[int, int]
    lag: Mapping[int, int]
    predictions: Sequence[Prediction]
    dead_letters: Sequence[DeadLetter]
    lesson: Lesson | None
    remembered: int
    labels: Sequence[str]
    scores: Prequential
    seconds: Mapping[str, float]


def run(
    source: Source,
    learner: Learner,
    replay: ReplayBuffer,
    evaluator: Evaluator,
    labels: LabelSet,
    micro_batch: MicroBatch,
    replay_ratio: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Step]:
    """Learn from a stream: test, then train, each document once (prequential evaluation).

    Parameters
    ----------
    replay_ratio
        Replayed documents for each new one.
    clock
        Seconds, for the time each stage takes.

    Yields
    ------
    Step
        After each batch read; a lesson is in it when the batch made a micro-batch full.
    """
    while True:
        started = clock()
        batch = source.read(micro_batch.room)
        if batch is None:
            return
        fetched = clock()
        predictions = predict(learner, labels, batch.documents)
        evaluator.update(predictions)
        predicted = clock()
        micro_batch.add(batch.documents)
        lesson = None
        if batch.last or micro_batch.full:
            lesson = _learn(micro_batch.take(), learner, replay, labels, replay_ratio)
        yield Step(
            positions=batch.positions,
            lag=batch.lag,
            predictions=predictions,
            dead_letters=batch.dead_letters,
            lesson=lesson,
            remembered=len(replay),
            labels=labels.names,
            scores=evaluator.scores(),
            seconds={
                "fetch": fetched - started,
                "predict": predicted - fetched,
                "learn": clock() - predicted,
            },
        )


def predict(learner: Learner, labels: LabelSet, documents: Sequence[Document]) -> list[Prediction]:
    """Predict documents with what the learner knows now."""
    if not documents:
        return []
    names = labels.names
    predictions = []
    for document, row in zip(documents, learner.predict_proba_many(documents), strict=True):
        known = names[: len(row)]
        best = int(row.argmax()) if known else None
        truth = float(row[known.index(document.label)]) if document.label in known else 0.0
        predictions.append(
            Prediction(
                document=document,
                label=None if best is None else known[best],
                probability=0.0 if best is None else float(row[best]),
                truth=truth,
            )
        )
    return predictions


def _learn(
    documents: list[Document],
    learner: Learner,
    replay: ReplayBuffer,
    labels: LabelSet,
    replay_ratio: float,
) -> Lesson | None:
    """Learn documents mixed with replayed ones, then remember them."""
    if not documents:
        return None
    # Counted over the whole stream, so that a ratio of 0.1 holds in steps of one document too.
    due = math.floor(replay_ratio * (replay.seen + len(documents)))
    replayed = replay.sample(due - math.floor(replay_ratio * replay.seen))
    mixed = documents + replayed
    loss = learner.learn_many(mixed, [labels.add(d.label) for d in mixed if d.label is not None])
    replay.add(documents)
    return Lesson(len(documents), len(replayed), loss)
