"""The loop: predict, score, learn, remember."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from consumer.drift.adaptation import Adaptation, Drift, Predicted
from consumer.evaluation import Evaluator, Opinion, Prediction, Prequential
from consumer.features import Example, Extractor, Features
from consumer.labels import LabelSet
from consumer.learners.protocol import Forecast, Gradient, Learner, Lesson, RejectedError
from consumer.micro_batch import MicroBatch
from consumer.quarantine import Quarantine
from consumer.replay import Census, ReplayBuffer
from consumer.replay_ratio import ReplayRatio
from consumer.source import Batch, DeadLetter, Origin
from events.document import Document
from events.errors import shorten

TOP = 5
"""How many of the most probable labels a prediction tells."""


class Source(Protocol):
    """Where batches of documents come from."""

    def read(self, at_most: int) -> Batch | None:
        """Wait for documents; none when there are none yet, None when there will be no more."""
        ...


@dataclass(frozen=True, slots=True)
class Learned:
    """One learning step: its new documents, the replayed ones, and their mean loss in nats.

    ``gradients`` are those of the experts that have one.
    """

    documents: int
    replayed: int
    loss: float
    gradients: Mapping[str, Gradient]


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the loop: all that metrics, progress and checkpoints need to know of it.

    ``positions``, ``lag`` and ``reached`` are by partition: the next offset to read, how many
    records wait behind it, and when the last one before was written. ``origins`` are where the
    document of each prediction comes from, ``written`` when its record was, in seconds since 1970.
    ``tokens`` were read by an encoder. ``drifts`` were noticed in the micro-batch that was learned,
    ``distance`` is that of the inputs from those after the last change, and ``noticed`` says how
    many documents had come at the last drift, by detector. ``shares`` say how much each expert of
    a blend weighs. ``seconds`` are by stage. A step without documents has neither: it says that
    time has passed.
    """

    positions: Mapping[int, int]
    lag: Mapping[int, int]
    reached: Mapping[int, float]
    predictions: Sequence[Prediction]
    origins: Sequence[Origin]
    written: Sequence[float | None]
    tokens: int
    dead_letters: Sequence[DeadLetter]
    learned: Learned | None
    drifts: Sequence[Drift]
    distance: float
    noticed: Mapping[str, int]
    remembered: Census
    labels: Sequence[str]
    scores: Prequential
    shares: Mapping[str, float]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Arrived:
    """Documents in the order of the stream, as they were predicted: rows of the same order.

    ``tokens`` were read by an encoder; to read texts took ``seconds``.
    """

    documents: Sequence[Document]
    features: Sequence[Features]
    forecast: Forecast
    tokens: int
    seconds: float


def run(
    source: Source,
    extractor: Extractor,
    learner: Learner,
    replay: ReplayBuffer,
    replay_ratio: ReplayRatio,
    evaluator: Evaluator,
    labels: LabelSet,
    micro_batch: MicroBatch,
    quarantine: Quarantine,
    adaptation: Adaptation,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Step]:
    """Learn from a stream: test, then train, each document once (prequential evaluation).

    Parameters
    ----------
    clock
        Seconds, for the time each stage takes.

    Yields
    ------
    Step
        After each batch read, even an empty one; ``learned`` is in it when the batch made a
        micro-batch full. If that could not be learned, its documents are dead letters instead.

    Raises
    ------
    DivergedError
        Too many in a row could not be.
    """
    while True:
        started = clock()
        batch = source.read(micro_batch.room)
        if batch is None:
            return
        fetched = clock()
        arrived = predict(extractor, learner, batch.documents, clock)
        tokens, tokenizing = arrived.tokens, arrived.seconds
        predictions = named(arrived, labels)
        evaluator.update(predictions)
        predicted = clock()
        micro_batch.add(zip(batch.documents, batch.origins, strict=True))
        learned = None
        quarantined: Sequence[DeadLetter] = ()
        drifts: Sequence[Drift] = ()
        if batch.last or (batch.documents and micro_batch.full):
            together = micro_batch.take()
            # What came in pieces is read again as a whole: what is learned may depend on the
            # stream alone, and matrix products of other shapes round differently.
            if len(together) != len(arrived.documents):
                arrived = predict(extractor, learner, [document for document, _ in together])
                tokens += arrived.tokens
            drifts = adaptation.observe(observed(arrived, labels), learner, replay, labels)
            new = [pair for pair in together if pair[0].label is not None]
            count = adaptation.replayed(replay_ratio.due(len(new), sum(batch.lag.values())))
            try:
                learned = learn(arrived, learner, replay, labels, count)
            except RejectedError as error:
                detail = f"not learned, with {len(new) - 1} others: {error}"
                quarantined = quarantine.set_aside(new, detail)
            if learned is not None:
                quarantine.passed()
        yield Step(
            positions=batch.positions,
            lag=batch.lag,
            reached=batch.reached,
            predictions=predictions,
            origins=batch.origins,
            written=batch.written,
            tokens=tokens,
            dead_letters=[*batch.dead_letters, *quarantined],
            learned=learned,
            drifts=drifts,
            distance=adaptation.distance,
            noticed=dict(adaptation.noticed),
            remembered=replay.census(),
            labels=labels.names,
            scores=evaluator.scores(),
            shares=arrived.forecast.shares,
            seconds={
                "fetch": fetched - started,
                "tokenize": tokenizing,
                "predict": predicted - fetched - tokenizing,
                "learn": clock() - predicted,
            }
            if batch.documents
            else {},
        )


def predict(
    extractor: Extractor,
    learner: Learner,
    documents: Sequence[Document],
    clock: Callable[[], float] = time.perf_counter,
) -> Arrived:
    """Predict documents with what the learner knows now."""
    if not documents:
        return Arrived([], [], Forecast(np.zeros((0, 0), dtype=np.float32)), 0, 0.0)
    started = clock()
    read = extractor.tokenize_many(documents)
    seconds = clock() - started
    tokens = sum(len(row.get("tokens", ())) for row in read)
    features = extractor.extract_many(read)
    return Arrived(documents, features, learner.predict_many(features), tokens, seconds)


def named(arrived: Arrived, labels: LabelSet) -> list[Prediction]:
    """Put names to predictions: the learner knows labels by number only.

    Probabilities that are no numbers are no opinion.
    """
    names = labels.names

    def opinion(row: NDArray[np.float32], truth: str | None) -> Opinion:
        known = names[: len(row)]
        if not known or not np.isfinite(row).all():
            return Opinion(None, 0.0, 0.0)
        best = int(row.argmax())
        right = float(row[known.index(truth)]) if truth in known else 0.0
        return Opinion(known[best], float(row[best]), right)

    def top(row: NDArray[np.float32]) -> list[tuple[str, float]]:
        if not np.isfinite(row).all():
            return []
        best = np.argsort(-row, kind="stable")[:TOP]
        return [(names[number], float(row[number])) for number in best]

    forecast = arrived.forecast
    return [
        Prediction(
            document,
            opinion(forecast.probabilities[row], document.label),
            {name: opinion(said[row], document.label) for name, said in forecast.experts.items()},
            top(forecast.probabilities[row]),
        )
        for row, document in enumerate(arrived.documents)
    ]


def observed(arrived: Arrived, labels: LabelSet) -> list[Predicted]:
    """Say what drift is looked for in."""
    return [
        Predicted(features, prediction.document.label, prediction.opinion.label)
        for features, prediction in zip(arrived.features, named(arrived, labels), strict=True)
    ]


def learn(
    arrived: Arrived, learner: Learner, replay: ReplayBuffer, labels: LabelSet, count: int
) -> Learned | None:
    """Learn documents mixed with replayed ones, then remember them; None if none has a label.

    Raises
    ------
    RejectedError
        They must not be learned: learner and buffer are as before, random draws aside.
    """
    rows = [row for row, document in enumerate(arrived.documents) if document.label is not None]
    if not rows:
        return None
    forecast = arrived.forecast.of(rows)
    new = [Example(arrived.documents[row], arrived.features[row]) for row in rows]
    _check(new, forecast)
    replayed = replay.sample(count)
    proposal = learner.propose(lesson(new, labels), lesson(replayed, labels), forecast)
    proposal.accept()
    # A replay needs features only: texts would take more room than what is kept of them.
    replay.add(Example(replace(one.document, text=""), learner.keep(one.features)) for one in new)
    return Learned(len(new), len(replayed), proposal.loss, proposal.gradients)


def _check(new: Sequence[Example], forecast: Forecast) -> None:
    """Refuse what would be no number in the learner or in the buffer."""
    for example in new:
        for name, feature in example.features.items():
            if not feature.isfinite().all():
                raise RejectedError(f"{name} of {shorten(example.document.id)} is not finite")
    if not np.isfinite(forecast.probabilities).all():
        raise RejectedError("a prediction is no number")


def lesson(examples: Sequence[Example], labels: LabelSet) -> Lesson:
    """Turn examples, all of which have a label, into something to learn."""
    targets = [labels.add(one.document.label) for one in examples if one.document.label is not None]
    return Lesson([one.features for one in examples], targets)
