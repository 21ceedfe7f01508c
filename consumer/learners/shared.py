"""A model that the loop teaches while others ask it."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from consumer.evaluation.evaluator import Prediction
from consumer.features.extractor import Extractor, Features
from consumer.labels import LabelSet
from consumer.learners.classifier import TextClassifier
from consumer.learners.prediction import predict, with_names
from consumer.learners.protocol import Learner, Predictions, StagedUpdate, TrainingBatch
from newsreel.events.document import Document

TEXTS_PER_TURN = 8
"""Texts that are extracted in one turn."""


class BusyError(Exception):
    """The model was not free in time."""


class FairLock:
    """A lock that is given in the order in which it is asked for.

    With one of Python's own, a busy loop that gives it back and asks again at once would always be
    the first.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def taken(self, seconds: float | None = None) -> Iterator[None]:
        """Wait for a turn, ``seconds`` at most, and have it while the block runs.

        Raises
        ------
        BusyError
            It did not come in time.
        """
        mine = object()
        with self._changed:
            self._queue.append(mine)
            given = False
            try:
                given = self._changed.wait_for(lambda: self._queue[0] is mine, seconds)
            finally:
                if not given:
                    self._queue.remove(mine)
                    self._changed.notify_all()
            if not given:
                raise BusyError
        try:
            yield
        finally:
            with self._changed:
                self._queue.popleft()
                self._changed.notify_all()


class SharedModel:
    """An extractor and a learner for the loop, and a way to ask them from other threads.

    Everything that computes takes its turn, so that weights are never half updated and nobody
    meets another's buffers. A turn is a stage, or a part of one: to tokenize, extract or predict
    texts, to work out a learning step, to take it. Questions come in between; as they change no
    weights and draw no numbers, an answer never changes what is learned.

    Parameters
    ----------
    extractor, learner
        Used by nobody else from now on.
    labels
        Names of what the learner predicts.
    separate_weights
        Whether predictions are made by other weights than those that a step is worked out with,
        such as their average. Then a step is worked out beside the questions: it changes nothing
        before it is taken.
    """

    def __init__(
        self, extractor: Extractor, learner: Learner, labels: LabelSet, *, separate_weights: bool
    ) -> None:
        turns = FairLock()
        self._turns = turns
        self._extractor = extractor
        self._learner = learner
        self._labels = labels
        self.extractor = _SharedExtractor(extractor, turns)
        self.learner = _SharedLearner(learner, turns, FairLock() if separate_weights else turns)

    @property
    def classifier(self) -> TextClassifier:
        """The model as the loop uses it: each call takes its turn."""
        return TextClassifier(self.extractor, self.learner, self._labels)

    @property
    def labels(self) -> list[str]:
        """The labels known now."""
        return self._labels.names

    def ask(self, documents: Sequence[Document], seconds: float) -> tuple[list[Prediction], int]:
        """Predict documents; returns with it how many steps the weights have taken in this run.

        Raises
        ------
        BusyError
            The model was not free within these seconds.
        """
        with self._turns.taken(seconds):
            arrived = predict(self._extractor, self._learner, documents)
            return with_names(arrived, self._labels), self.learner.steps


class _SharedExtractor:
    def __init__(self, extractor: Extractor, turns: FairLock) -> None:
        self._extractor = extractor
        self._turns = turns

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        with self._turns.taken():
            return self._extractor.tokenize_many(documents)

    def extract_many(self, read: Sequence[Features]) -> list[Features]:
        # Frozen layers take longest of all: in several turns, each of texts that are alike in
        # length, nobody waits for all of it.
        order = sorted(range(len(read)), key=lambda index: len(read[index].get("tokens", ())))
        features: dict[int, Features] = {}
        for start in range(0, len(order), TEXTS_PER_TURN):
            some = order[start : start + TEXTS_PER_TURN]
            with self._turns.taken():
                rows = self._extractor.extract_many([read[index] for index in some])
            features |= zip(some, rows, strict=True)
        return [features[index] for index in range(len(read))]


class _SharedLearner:
    def __init__(self, learner: Learner, turns: FairLock, working_out: FairLock) -> None:
        self._learner = learner
        self._turns = turns
        self._working_out = working_out
        self.steps = 0

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        with self._turns.taken():
            return self._learner.predict_many(features)

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        with self._working_out.taken():
            proposal = self._learner.propose(new, replayed, predictions)

        def apply() -> None:
            with self._turns.taken():
                proposal.apply()
                self.steps += 1

        return replace(proposal, apply=apply)

    def forget(self, targets: Sequence[int]) -> None:
        with self._turns.taken():
            self._learner.forget(targets)

    def replay_features(self, features: Features) -> Features:
        return self._learner.replay_features(features)  # of random numbers, which nobody else draws

    def state_dict(self) -> dict[str, Any]:
        return self._learner.state_dict()  # asked for by the thread that learns

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with self._turns.taken():
            self._learner.load_state_dict(state)
