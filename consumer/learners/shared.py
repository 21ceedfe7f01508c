"""Share a model between the loop, which trains the model, and threads that ask for predictions."""

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
"""Number of texts whose features are extracted in one turn of the lock."""


class BusyError(Exception):
    """The model did not become free in time."""


class FairLock:
    """A lock that threads get in the order of their requests.

    With one of Python's own locks, a busy loop that releases the lock and requests it again at once
    would always be first.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()

    @contextmanager
    def acquired(self, timeout: float | None = None) -> Iterator[None]:
        """Acquire the lock, and hold the lock while the block runs.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None waits forever.

        Raises
        ------
        BusyError
            The lock did not become free in time.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            first = False
            try:
                first = self._changed.wait_for(lambda: self._queue[0] is ticket, timeout)
            finally:
                if not first:
                    self._queue.remove(ticket)
                    self._changed.notify_all()
            if not first:
                raise BusyError
        try:
            yield
        finally:
            with self._changed:
                self._queue.popleft()
                self._changed.notify_all()


class SharedModel:
    """Wrap an extractor and a learner for the loop, and answer requests of other threads.

    A fair lock protects every computation: weights are never seen half updated, and no buffer is
    used by two threads. The lock is held for a stage or a part of a stage: tokenizing, extracting
    or predicting texts, computing a learning step, applying the step. Requests are answered in
    between. As they change no weights and draw no random numbers, an answer never changes what is
    learned.

    Parameters
    ----------
    extractor, learner
        Model; from now on to be used through this object only.
    labels
        Names of the labels that the learner predicts.
    separate_weights
        Whether predictions use other weights than training does, such as an average. Then a step
        is computed while requests are answered: the step changes nothing before it is applied.
    """

    def __init__(
        self, extractor: Extractor, learner: Learner, labels: LabelSet, *, separate_weights: bool
    ) -> None:
        lock = FairLock()
        self._lock = lock
        self._extractor = extractor
        self._learner = learner
        self._labels = labels
        self.extractor = _SharedExtractor(extractor, lock)
        self.learner = _SharedLearner(learner, lock, FairLock() if separate_weights else lock)

    @property
    def classifier(self) -> TextClassifier:
        """The model for the loop; each call acquires the lock."""
        return TextClassifier(self.extractor, self.learner, self._labels)

    @property
    def labels(self) -> list[str]:
        """Names of the labels known now."""
        return self._labels.names

    def ask(self, documents: Sequence[Document], timeout: float) -> tuple[list[Prediction], int]:
        """Predict documents.

        Parameters
        ----------
        timeout
            Seconds to wait for the model at most.

        Returns
        -------
        tuple
            The predictions, and the number of steps that the weights have taken in this run.

        Raises
        ------
        BusyError
            The model did not become free in time.
        """
        with self._lock.acquired(timeout):
            batch = predict(self._extractor, self._learner, documents)
            return with_names(batch, self._labels), self.learner.steps


class _SharedExtractor:
    def __init__(self, extractor: Extractor, lock: FairLock) -> None:
        self._extractor = extractor
        self._lock = lock

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        with self._lock.acquired():
            return self._extractor.tokenize_many(documents)

    def extract_many(self, tokenized: Sequence[Features]) -> list[Features]:
        # Frozen layers take longest of all: in several turns, each with texts of similar length,
        # no request waits for all of them.
        order = sorted(
            range(len(tokenized)), key=lambda index: len(tokenized[index].get("tokens", ()))
        )
        features: dict[int, Features] = {}
        for start in range(0, len(order), TEXTS_PER_TURN):
            turn = order[start : start + TEXTS_PER_TURN]
            with self._lock.acquired():
                rows = self._extractor.extract_many([tokenized[index] for index in turn])
            features |= zip(turn, rows, strict=True)
        return [features[index] for index in range(len(tokenized))]


class _SharedLearner:
    def __init__(self, learner: Learner, lock: FairLock, training_lock: FairLock) -> None:
        self._learner = learner
        self._lock = lock
        self._training_lock = training_lock
        self.steps = 0

    def predict_many(self, features: Sequence[Features]) -> Predictions:
        with self._lock.acquired():
            return self._learner.predict_many(features)

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        with self._training_lock.acquired():
            update = self._learner.propose(new, replayed, predictions)

        def apply() -> None:
            with self._lock.acquired():
                update.apply()
                self.steps += 1

        return replace(update, apply=apply)

    def forget(self, targets: Sequence[int]) -> None:
        with self._lock.acquired():
            self._learner.forget(targets)

    def replay_features(self, features: Features) -> Features:
        # Requests draw no random numbers, so this needs no lock.
        return self._learner.replay_features(features)

    def state_dict(self) -> dict[str, Any]:
        return self._learner.state_dict()  # called by the thread that trains

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with self._lock.acquired():
            self._learner.load_state_dict(state)
