"""The prequential loop: predict, score, learn, remember."""

import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from consumer.checkpoints.state import Stateful
from consumer.drift.adaptation import Adaptation, Drift, Observation
from consumer.evaluation.evaluator import Evaluator, Prediction
from consumer.features.extractor import Example
from consumer.kafka.batch import Batch, DeadLetter, Origin
from consumer.labels import LabelSet
from consumer.learners.classifier import TextClassifier
from consumer.learners.prediction import PredictedBatch
from consumer.learners.protocol import RejectedError, TrainingBatch
from consumer.loop.defects import defects_of
from consumer.loop.labelling import ImmediateLabels, Labelling
from consumer.loop.micro_batch import MicroBatch
from consumer.loop.quarantine import Quarantine
from consumer.loop.step import DriftStatus, Learned, Step
from consumer.replay.buffer import ReplayBuffer
from consumer.replay.ratio import ReplayRatio
from newsreel.events.document import Document


class Source(Protocol):
    """Where batches of documents come from."""

    def read(self, at_most: int) -> Batch | None:
        """Wait for documents: an empty batch if none arrived for a while, None at the end."""
        ...


@dataclass(slots=True)
class _Turn:
    """What learning adds to a turn."""

    predicted: PredictedBatch
    tokens: int
    drifts: list[Drift]
    learned: Learned | None = None
    quarantined: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loop:
    """Test, then train: each document is predicted, scored, learned once and remembered.

    Prequential evaluation after Gama et al. (2013), "On evaluating stream learning algorithms".

    Parameters
    ----------
    classifier
        Model that predicts and learns.
    replay_buffer
        Memory of learned documents.
    replay_ratio
        Number of documents to replay in a step.
    micro_batch
        Documents gathered for the next learning step.
    quarantine
        Handling of documents that can't be learned.
    adaptation
        Detection of drift, and the reaction to it.
    labelling
        When labels become known: with their documents, or later.
    evaluator
        Scores of the predictions.

    Examples
    --------
    >>> from consumer import composition
    >>> from consumer.loop.memory_source import MemorySource
    >>> from consumer.settings import Settings
    >>> from newsreel.events.document import Document
    >>> loop = composition.build_loop(Settings(learner="bayes", batch_size=2))
    >>> goals = [Document(str(n), "a late goal", "sport") for n in range(4)]
    >>> steps = list(loop.run(MemorySource(goals, loop.classifier.labels)))
    >>> [step.predictions[0].predicted.label for step in steps]
    [None, 'sport']
    """

    classifier: TextClassifier
    replay_buffer: ReplayBuffer
    replay_ratio: ReplayRatio
    micro_batch: MicroBatch
    quarantine: Quarantine
    adaptation: Adaptation
    labelling: Labelling = field(default_factory=ImmediateLabels)
    evaluator: Evaluator = field(default_factory=Evaluator)

    def run(self, source: Source, clock: Callable[[], float] = time.perf_counter) -> Iterator[Step]:
        """Learn from a stream.

        Parameters
        ----------
        source
            Stream of batches.
        clock
            Clock in seconds, for the time of each stage.

        Yields
        ------
        Step
            One for each batch, also for an empty one.

        Raises
        ------
        DivergedError
            Too many learning steps in a row were rejected.
        """
        started = clock()
        while (batch := source.read(self.micro_batch.room)) is not None:
            fetched = clock()
            predicted = self.classifier.predict(batch.documents, clock)
            predictions = self.classifier.with_names(predicted)
            labelled = self.labelling.take(batch, predicted, predictions, self.classifier.labels)
            self.evaluator.update(labelled.scored)
            scored = clock()
            self.micro_batch.add(labelled.ready)
            turn = self._turn(batch, predicted, due=bool(labelled.ready) and self.micro_batch.full)
            yield Step(
                batch=batch,
                predictions=predictions,
                labelled=labelled,
                dead_letters=[*batch.dead_letters, *turn.quarantined],
                learned=turn.learned,
                gathered=len(self.micro_batch),
                batch_size=self.micro_batch.size,
                drift=DriftStatus(
                    turn.drifts, self.adaptation.distance, dict(self.adaptation.last_detected)
                ),
                repredicted=self.labelling.repredicted_scores(),
                replay_buffer=self.replay_buffer.stats(),
                labels=self.classifier.labels.names,
                scores=self.evaluator.scores(),
                expert_shares=turn.predicted.predictions.shares,
                tokens=turn.tokens,
                seconds={
                    "fetch": fetched - started,
                    "tokenize": predicted.seconds,
                    "predict": scored - fetched - predicted.seconds,
                    "learn": clock() - scored,
                }
                if batch.documents
                else {},
            )
            started = clock()

    def parts(self) -> dict[str, Stateful]:
        """Return the parts that a checkpoint keeps, by their names in checkpoints."""
        return {
            "labels": self.classifier.labels,
            "learner": self.classifier.learner,
            "replay": self.replay_buffer,
            "replay_ratio": self.replay_ratio,
            "evaluator": self.evaluator,
            "micro_batch": self.micro_batch,
            "quarantine": self.quarantine,
            "adaptation": self.adaptation,
            "waiting": self.labelling,
        }

    def _turn(self, batch: Batch, predicted: PredictedBatch, *, due: bool) -> _Turn:
        """Look for drift, and learn the micro-batch if it is due or the stream ends."""
        late = self.labelling.late
        # Labels may never come, so late ones must not delay detection. Where labels come with
        # their documents, detection must depend on the stream alone, as learning does, and so
        # waits until a micro-batch is full.
        drifts = list(self.adaptation.observe_inputs(predicted.features)) if late else []
        turn = _Turn(predicted, predicted.tokens, drifts)
        if due or batch.last:
            self._learn_micro_batch(turn, lag=sum(batch.lag.values()))
        return turn

    def _learn_micro_batch(self, turn: _Turn, lag: int) -> None:
        gathered = self.micro_batch.take()
        documents = [document for document, _ in gathered]
        # A micro-batch that arrived in pieces is predicted again as a whole: what is learned may
        # depend on the stream alone, and matrix products of other shapes round differently.
        if documents != list(turn.predicted.documents):
            turn.predicted = self.classifier.predict(documents)
            turn.tokens += turn.predicted.tokens
        predictions = self.classifier.with_names(turn.predicted)
        self.labelling.repredict(predictions)
        seen = inputs_of_drift(turn.predicted, predictions, with_features=not self.labelling.late)
        classifier = self.classifier
        turn.drifts += self.adaptation.observe_batch(
            seen, classifier.learner, self.replay_buffer, classifier.labels
        )
        defects = defects_of(turn.predicted)
        turn.quarantined = [
            self.quarantine.leave_out(*gathered[row], detail) for row, detail in defects.items()
        ]
        new = [
            pair
            for row, pair in enumerate(gathered)
            if pair[0].label is not None and row not in defects
        ]
        try:
            turn.learned = self.learn(
                turn.predicted, self.replay_ratio.due(len(new), lag), without=defects
            )
        except RejectedError as error:
            turn.quarantined += self._set_aside(new, error)
        else:
            if turn.learned is not None:
                self.quarantine.passed()

    def _set_aside(
        self, new: Sequence[tuple[Document, Origin]], error: RejectedError
    ) -> list[DeadLetter]:
        return self.quarantine.set_aside(new, f"not learned, with {len(new) - 1} others: {error}")

    def learn(
        self, predicted: PredictedBatch, replayed: int, without: Container[int] = ()
    ) -> Learned | None:
        """Learn documents mixed with replayed ones, then remember the documents.

        Parameters
        ----------
        predicted
            Documents and what was predicted of them.
        replayed
            Number of documents to replay.
        without
            Rows of documents that can't be learned.

        Returns
        -------
        Learned or None
            None if there is nothing to learn.

        Raises
        ------
        RejectedError
            The step must not be taken; learner and buffer are unchanged, random draws aside.
        """
        documents = predicted.documents
        rows = [
            row
            for row, document in enumerate(documents)
            if document.label is not None and row not in without
        ]
        if not rows:
            return None
        learner, labels = self.classifier.learner, self.classifier.labels
        predictions = predicted.predictions.of(rows)
        new = [Example(documents[row], predicted.features[row]) for row in rows]
        if not np.isfinite(predictions.probabilities).all():
            raise RejectedError("the model's predictions are not finite")
        # Sample before adding: replay is of the past.
        past = self.replay_buffer.sample(replayed)
        update = learner.propose(
            training_batch(new, labels), training_batch(past, labels), predictions
        )
        update.apply()
        # A replay needs features only: texts would take more room than the features.
        self.replay_buffer.add(
            Example(replace(example.document, text=""), learner.replay_features(example.features))
            for example in new
        )
        return Learned(len(new), len(past), update.loss, update.gradients)


def inputs_of_drift(
    predicted: PredictedBatch, predictions: Sequence[Prediction], *, with_features: bool = True
) -> list[Observation]:
    """Return what drift is detected in: features, labels and predicted labels.

    Parameters
    ----------
    with_features
        False where the features were looked at on arrival already.
    """
    return [
        Observation(
            features if with_features else None,
            prediction.document.label,
            prediction.predicted.label,
        )
        for features, prediction in zip(predicted.features, predictions, strict=True)
    ]


def training_batch(examples: Sequence[Example], labels: LabelSet) -> TrainingBatch:
    """Return examples, all of which have a label, as the learner takes them."""
    named = [(example, example.document.label) for example in examples]
    targets = [labels.add(label) for _, label in named if label is not None]
    return TrainingBatch([example.features for example in examples], targets)
