"""Predict texts of HTTP requests with the current weights."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from consumer.evaluation.evaluator import Prediction
from consumer.learners.shared import BusyError, SharedModel
from consumer.monitoring.progress import Progress
from consumer.records.reader import MAX_TEXT_CHARACTERS
from newsreel.events.document import Document

MAX_REQUESTS = 8
"""Number of requests at a time; further requests are answered that the model is busy."""

TURN_SECONDS = 10.0
"""Seconds that a request waits for its turn: several learning steps."""


class NotReadyError(Exception):
    """No model is ready yet."""


class UnpredictableError(Exception):
    """The model's numbers of a text are not finite."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Predictions, and the version of the model that made them."""

    predictions: Sequence[Prediction]

    checkpoint: str | None
    """Id of the last committed checkpoint, if any."""

    step: int
    """Number of learning steps since the stream began."""


class Serving:
    """Predicts texts from the moment at which learning begins.

    Parameters
    ----------
    progress
        Number of learning steps before this run, and the last commit.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._model: SharedModel | None = None
        self._steps_before = 0
        self._slots = threading.BoundedSemaphore(MAX_REQUESTS)

    @property
    def labels(self) -> list[str]:
        """Labels known so far."""
        return self._model.labels if self._model else []

    def begin(self, model: SharedModel) -> None:
        """Predict with a model from now on; the model is restored and not trained since."""
        self._steps_before = self._progress.steps
        self._model = model

    def predict(self, texts: Sequence[str]) -> Answer:
        """Predict texts, each cut like a text of the stream.

        Raises
        ------
        NotReadyError
            The model is being loaded, or this consumer stands by.
        BusyError
            Too many requests are waiting, or the request did not get its turn in time.
        UnpredictableError
            The model has no finite numbers of a text.
        """
        if self._model is None:
            raise NotReadyError("loading, or standing by: ask the consumer that learns")
        if not self._slots.acquire(blocking=False):
            raise BusyError
        try:
            documents = [Document("", text[:MAX_TEXT_CHARACTERS]) for text in texts]
            checkpoint = self._progress.checkpoint
            predictions, steps = self._model.ask(documents, TURN_SECONDS)
        finally:
            self._slots.release()
        answer = Answer(predictions, checkpoint, self._steps_before + steps)
        if answer.step:  # before the first step, no text has a label
            _require_labels(predictions)
        return answer


def _require_labels(predictions: Sequence[Prediction]) -> None:
    failed = [
        str(number) for number, each in enumerate(predictions, 1) if each.predicted.label is None
    ]
    if failed:
        raise UnpredictableError(
            f"the model can't predict text {', '.join(failed)} of {len(predictions)}: its features"
            " are not finite numbers"
        )
