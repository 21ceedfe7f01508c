"""Evaluate checkpoints on the held-out topic as they are committed, in a process of its own."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

import structlog
from kafka.errors import KafkaError

from consumer.checkpoints.manifest import BrokenCheckpointError
from consumer.evaluation.forgetting import Forgetting
from consumer.heldout.checkpoint_evaluator import CheckpointEvaluator, Evaluation
from consumer.heldout.history import History
from consumer.heldout.topic import HeldOutTopic
from consumer.kafka.bounded import StalledError
from consumer.records.formats import RegistryError
from newsreel.common.errors import UserError
from newsreel.common.kafka import BrokerUnreachableError
from newsreel.common.kafka_errors import explain, heals
from newsreel.common.retrying import interruptible, refusal
from newsreel.common.shutdown import Shutdown, StoppedError
from newsreel.events.document import Document

POLL_SECONDS = 2.0
"""Seconds between two checks for a new checkpoint."""

REREAD_SECONDS = 60.0
"""Seconds between two checks for new held-out documents, while there is no new checkpoint."""

T = TypeVar("T")

log = structlog.get_logger()


class EvaluationObserver(Protocol):
    """Exports evaluations; called by the thread that evaluates."""

    def evaluated(self, evaluation: Evaluation, forgetting: Forgetting, seconds: float) -> None:
        """Export an evaluation, the forgetting up to it, and its duration in seconds."""
        ...

    def evaluation_failed(self) -> None:
        """Count an evaluation that failed."""
        ...


class Watch:
    """Evaluates the checkpoint that was committed last, each time there is a new one.

    Checkpoints that were committed during an evaluation are skipped, but for the last. A checkpoint
    that is deleted during its evaluation is replaced by the next one. A broken checkpoint counts as
    a failure and is not tried again.

    Parameters
    ----------
    newest
        Asks the broker for the folder of the last committed checkpoint; None when there is none.
    heldout
        Held-out documents.
    evaluator
        Restores a checkpoint and scores its model.
    history
        Forgetting and the curve of scores, kept over restarts.
    observer
        Exports evaluations and failures.
    stop
        Ends `run`.
    clock
        Seconds that only go forward.
    diagnose
        Looks at the cluster, and returns what is wrong there; None if all is well.
    """

    def __init__(
        self,
        newest: Callable[[], Path | None],
        heldout: HeldOutTopic,
        evaluator: CheckpointEvaluator,
        history: History,
        observer: EvaluationObserver,
        stop: Shutdown,
        clock: Callable[[], float] = time.monotonic,
        diagnose: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._newest = newest
        self._heldout = heldout
        self._evaluator = evaluator
        self._history = history
        self._observer = observer
        self._stop = stop
        self._clock = clock
        self._diagnose = diagnose
        self._waiting: str | None = "starting"
        self._evaluated: Path | None = None
        self._failure: str | None = None
        self._documents: Sequence[Document] = ()
        self._read_at = -REREAD_SECONDS

    def waiting(self) -> str | None:
        """Return what the watch waits for; None when the last checkpoint is or was evaluated."""
        return self._waiting

    def run(self) -> None:
        """Evaluate new checkpoints until a stop is requested.

        Raises
        ------
        UserError
            A checkpoint was written by another version, or its encoder is not installed here, or
            Kafka refuses a request for good.
        """
        with suppress(StoppedError):
            while not self._stop.requested:
                self._try()
                self._stop.sleep(POLL_SECONDS)

    def _try(self) -> None:
        try:
            self.look()
        except (KafkaError, OSError, BrokerUnreachableError, StalledError) as error:
            self._observer.evaluation_failed()
            self._wait_for_kafka(error)
        except RegistryError as error:
            self._observer.evaluation_failed()
            self._wait(str(error))

    def look(self) -> None:
        """Evaluate the newest checkpoint if the checkpoint or a held-out document is new."""
        folder = self._interruptible(self._newest)
        if folder is None:
            self._wait("no checkpoint was committed yet, or none is readable")
            return
        if folder == self._evaluated and self._clock() < self._read_at + REREAD_SECONDS:
            self._waiting = self._failure
            return
        documents = self._interruptible(self._heldout.read)
        self._read_at = self._clock()
        if not documents:
            self._wait("no held-out document was published yet")
        elif folder != self._evaluated or documents != self._documents:
            self._evaluate(folder, documents)

    def _evaluate(self, folder: Path, documents: Sequence[Document]) -> None:
        log.info("evaluating", checkpoint=folder.name, heldout=len(documents))
        started = self._clock()
        self._waiting = self._failure = None
        try:
            evaluation = self._evaluator.evaluate(folder, documents, lambda: self._stop.requested)
        except BrokenCheckpointError as error:
            if self._interruptible(self._newest) != folder:
                return  # the checkpoint was pruned, since a newer one is committed
            self._observer.evaluation_failed()
            self._waiting = self._failure = f"the next checkpoint: {error}"
            log.warning("checkpoint not evaluated", error=str(error))
        else:
            if self._stop.requested:
                return
            seconds = self._clock() - started
            self._history.add(evaluation)
            self._observer.evaluated(evaluation, self._history.forgetting, seconds)
            log.info(
                "evaluated",
                checkpoint=folder.name,
                documents=evaluation.manifest.documents,
                accuracy=round(evaluation.scores.accuracy, 4),
                forgetting=round(self._history.forgetting.mean, 4),
                seconds=round(seconds, 1),
            )
        self._evaluated, self._documents = folder, documents

    def _interruptible(self, action: Callable[[], T]) -> T:
        return interruptible(action, lambda: self._stop.requested)

    def _wait_for_kafka(self, error: Exception) -> None:
        """Say what is wrong with Kafka.

        Raises
        ------
        UserError
            The error never heals.
        """
        if not isinstance(error, StalledError) and not heals(error):
            raise refusal(error) from error
        found = None if isinstance(error, UserError) else self._interruptible(self._diagnose)
        self._wait(found or explain(error))

    def _wait(self, reason: str) -> None:
        if reason != self._waiting:
            log.info("waiting", reason=reason)
        self._waiting = reason
