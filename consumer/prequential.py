"""The loop: predict, score, learn, remember."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from consumer.drift.adaptation import Adaptation, Drift, Predicted
from consumer.evaluation import Evaluator, Prediction, Prequential
from consumer.features import Example, Extractor
from consumer.labels import LabelSet
from consumer.learners.protocol import Forecast, Gradient, Learner, Lesson, RejectedError
from consumer.micro_batch import MicroBatch
from consumer.pending import Fate, Joined, Waiting
from consumer.prediction import Arrived, named, predict
from consumer.quarantine import Quarantine
from consumer.replay import Census, ReplayBuffer
from consumer.replay_ratio import ReplayRatio
from consumer.source import Batch, DeadLetter, Origin
from consumer.tally import Scores
from events.errors import shorten


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
    records wait behind it, and when the last one before was written. ``label_lag`` records wait in
    the topic of labels that come later. ``origins`` are where the document of each prediction comes
    from, ``written`` when its record was, in seconds since 1970. ``tokens`` were read by an
    encoder. ``scored`` are predictions whose labels are known now, ``joined`` those whose labels
    came later, ``fates`` count such labels and what waited in vain, ``waiting`` are left, and
    ``repredicted`` scores what was predicted just before it was learned. ``drifts`` were noticed in
    the micro-batch that was learned, ``distance`` is that of the inputs from those after the last
    change, and ``noticed`` says how many documents had come at the last drift, by detector.
    ``shares`` say how much each expert of a blend weighs. ``seconds`` are by stage. A step without
    documents has neither: it says that time has passed.
    """

    positions: Mapping[int, int]
    lag: Mapping[int, int]
    label_lag: int
    reached: Mapping[int, float]
    predictions: Sequence[Prediction]
    origins: Sequence[Origin]
    written: Sequence[float | None]
    tokens: int
    dead_letters: Sequence[DeadLetter]
    learned: Learned | None
    scored: Sequence[Prediction]
    joined: Sequence[Joined]
    fates: Mapping[Fate, int]
    waiting: int
    repredicted: Scores | None
    drifts: Sequence[Drift]
    distance: float
    noticed: Mapping[str, int]
    remembered: Census
    labels: Sequence[str]
    scores: Prequential
    shares: Mapping[str, float]
    seconds: Mapping[str, float]


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
    waiting: Waiting,
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
        taken = waiting.take(batch, arrived, labels)
        evaluator.update(taken.scored)
        predicted = clock()
        micro_batch.add(taken.ready)
        learned = None
        quarantined: Sequence[DeadLetter] = ()
        # Labels may never come; where they come at once, what is looked at must depend on the
        # stream alone, as learning does: then this has to wait until a micro-batch is full.
        drifts = list(adaptation.look(arrived.features)) if waiting.late else []
        if batch.last or (taken.ready and micro_batch.full):
            together = micro_batch.take()
            documents = [document for document, _ in together]
            # What came in pieces is read again as a whole: what is learned may depend on the
            # stream alone, and matrix products of other shapes round differently.
            if documents != list(arrived.documents):
                arrived = predict(extractor, learner, documents)
                tokens += arrived.tokens
            now = named(arrived, labels)
            waiting.repredicted(now)
            seen = observed(arrived, now, looked_at=waiting.late)
            drifts += adaptation.observe(seen, learner, replay, labels)
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
            label_lag=batch.label_lag,
            reached=batch.reached,
            predictions=predictions,
            origins=batch.origins,
            written=batch.written,
            tokens=tokens,
            dead_letters=[*batch.dead_letters, *quarantined],
            learned=learned,
            scored=taken.scored,
            joined=taken.joined,
            fates=taken.fates,
            waiting=len(waiting),
            repredicted=waiting.scores(),
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


def observed(
    arrived: Arrived, predictions: Sequence[Prediction], *, looked_at: bool = False
) -> list[Predicted]:
    """Say what drift is looked for in; of documents that were looked at already, errors only."""
    return [
        Predicted(
            None if looked_at else features, prediction.document.label, prediction.opinion.label
        )
        for features, prediction in zip(arrived.features, predictions, strict=True)
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
