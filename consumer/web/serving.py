"""Predictions for whoever asks, by the weights as they are now."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from consumer.evaluation.evaluator import Prediction
from consumer.kafka.source import MAX_TEXT_CHARACTERS
from consumer.learners.shared import BusyError, SharedModel
from consumer.monitoring.progress import Progress
from newsreel.events.document import Document

MOST_QUESTIONS = 8
"""At a time: the others are told to come again."""

PATIENCE_SECONDS = 10.0
"""How long a question waits for its turn: some learning steps."""


class NotReadyError(Exception):
    """There is no model to ask yet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Predictions, and the version of the model that made them."""

    predictions: Sequence[Prediction]
    checkpoint: str | None
    step: int


class Serving:
    """Answers questions from the time on at which learning begins.

    Parameters
    ----------
    progress
        Knows the last commit, and how many steps were taken before.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._model: SharedModel | None = None
        self._steps = 0
        self._room = threading.BoundedSemaphore(MOST_QUESTIONS)

    @property
    def labels(self) -> list[str]:
        """The labels known now."""
        return self._model.labels if self._model else []

    def begin(self, model: SharedModel) -> None:
        """Answer with a model from now on: it is restored, and nothing of it was taught since."""
        self._steps = self._progress.steps
        self._model = model

    def predict(self, texts: Sequence[str]) -> Answer:
        """Predict texts, of each of which is read what is read in the stream.

        Raises
        ------
        NotReadyError
            The model is being loaded, or this consumer stands by.
        BusyError
            Too many are waiting, or it was not this question's turn in time.
        """
        if self._model is None:
            raise NotReadyError("loading, or standing by: ask the consumer that learns")
        if not self._room.acquire(blocking=False):
            raise BusyError
        try:
            documents = [Document("", text[:MAX_TEXT_CHARACTERS]) for text in texts]
            checkpoint = self._progress.checkpoint
            predictions, steps = self._model.ask(documents, PATIENCE_SECONDS)
        finally:
            self._room.release()
        return Answer(predictions, checkpoint, self._steps + steps)
