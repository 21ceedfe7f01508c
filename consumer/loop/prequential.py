"""The loop: predict, score, learn, remember."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from consumer.drift.adaptation import Adaptation, Predicted
from consumer.evaluation.evaluator import Evaluator, Prediction
from consumer.features.extractor import Example, Extractor
from consumer.kafka.batch import Batch, DeadLetter
from consumer.labels import LabelSet
from consumer.learners.prediction import PredictedBatch, predict, with_names
from consumer.learners.protocol import Learner, Predictions, RejectedError, TrainingBatch
from consumer.loop.labelling import Labelling
from consumer.loop.micro_batch import MicroBatch
from consumer.loop.quarantine import Quarantine
from consumer.loop.step import Learned, Step
from consumer.replay.buffer import ReplayBuffer
from consumer.replay.ratio import ReplayRatio
from newsreel.events.errors import shorten


class Source(Protocol):
    """Where batches of documents come from."""

    def read(self, at_most: int) -> Batch | None:
        """Wait for documents; none when there are none yet, None when there will be no more."""
        ...


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
    waiting: Labelling,
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
        predictions = with_names(arrived, labels)
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
            now = with_names(arrived, labels)
            waiting.repredicted(now)
            seen = observed(arrived, now, looked_at=waiting.late)
            drifts += adaptation.observe(seen, learner, replay, labels)
            new = [pair for pair in together if pair[0].label is not None]
            count = replay_ratio.due(len(new), sum(batch.lag.values()))
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
            remembered=replay.stats(),
            labels=labels.names,
            scores=evaluator.scores(),
            shares=arrived.predictions.shares,
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
    arrived: PredictedBatch, predictions: Sequence[Prediction], *, looked_at: bool = False
) -> list[Predicted]:
    """Say what drift is looked for in; of documents that were looked at already, errors only."""
    return [
        Predicted(
            None if looked_at else features, prediction.document.label, prediction.predicted.label
        )
        for features, prediction in zip(arrived.features, predictions, strict=True)
    ]


def learn(
    arrived: PredictedBatch, learner: Learner, replay: ReplayBuffer, labels: LabelSet, count: int
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
    predictions = arrived.predictions.of(rows)
    new = [Example(arrived.documents[row], arrived.features[row]) for row in rows]
    _check(new, predictions)
    replayed = replay.sample(count)
    proposal = learner.propose(
        training_batch(new, labels), training_batch(replayed, labels), predictions
    )
    proposal.apply()
    # A replay needs features only: texts would take more room than what is kept of them.
    replay.add(
        Example(replace(one.document, text=""), learner.replay_features(one.features))
        for one in new
    )
    return Learned(len(new), len(replayed), proposal.loss, proposal.gradients)


def _check(new: Sequence[Example], predictions: Predictions) -> None:
    """Refuse what would be no number in the learner or in the buffer."""
    for example in new:
        for name, feature in example.features.items():
            if not feature.isfinite().all():
                raise RejectedError(f"{name} of {shorten(example.document.id)} is not finite")
    if not np.isfinite(predictions.probabilities).all():
        raise RejectedError("a prediction is no number")


def training_batch(examples: Sequence[Example], labels: LabelSet) -> TrainingBatch:
    """Turn examples, all of which have a label, into something to learn."""
    targets = [labels.add(one.document.label) for one in examples if one.document.label is not None]
    return TrainingBatch([one.features for one in examples], targets)
