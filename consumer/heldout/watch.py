"""Held-out evaluation beside the loop: it follows what is committed, and learning never waits."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from kafka.errors import KafkaError

from consumer.checkpoints.manifest import BrokenCheckpointError
from consumer.heldout.checkpoint_evaluator import CheckpointEvaluator
from consumer.heldout.history import History
from consumer.heldout.topic import HeldOutError, HeldOutTopic
from consumer.monitoring.heldout_metrics import HeldOutMetrics
from newsreel.common.kafka import BrokerUnreachableError
from newsreel.common.shutdown import Shutdown
from newsreel.events.document import Document

POLL_SECONDS = 2.0
"""Between looks for a new checkpoint."""

REREAD_SECONDS = 60.0
"""Between looks for new held-out documents, while there is no new checkpoint."""

log = structlog.get_logger()


class Watch:
    """Examines the checkpoint committed last, whenever that is a new one, until told to stop.

    Those committed while it was busy are skipped. One that is deleted under its hands gives way
    to the next; one that is broken is counted, and not tried again.

    Parameters
    ----------
    newest
        Asks the broker for the folder of that checkpoint; None when there is none yet.
    heldout
        The topic of documents to examine it on.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self,
        newest: Callable[[], Path | None],
        heldout: HeldOutTopic,
        examiner: CheckpointEvaluator,
        history: History,
        metrics: HeldOutMetrics,
        stop: Shutdown,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._newest = newest
        self._heldout = heldout
        self._examiner = examiner
        self._history = history
        self._metrics = metrics
        self._stop = stop
        self._clock = clock
        self._waiting: str | None = "starting"
        self._done: Path | None = None
        self._failure: str | None = None
        self._documents: Sequence[Document] = ()
        self._reread = -REREAD_SECONDS

    def waiting(self) -> str | None:
        """Say what it waits for; None if all there is was examined, or is being examined."""
        return self._waiting

    def run(self) -> None:
        """Follow the checkpoints.

        Raises
        ------
        UserError
            They are of another newsreel, or of an encoder that is not here.
        """
        while not self._stop.requested:
            try:
                self.look()
            except (KafkaError, OSError, BrokerUnreachableError, HeldOutError) as error:
                self._metrics.failed()
                self._wait(f"Kafka does not go along ({error})")
            self._stop.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Examine the newest checkpoint if it, or a held-out document, is new."""
        folder = self._newest()
        if folder is None:
            self._wait("no checkpoint was committed yet, or none that can be read")
            return
        if folder == self._done and self._clock() < self._reread + REREAD_SECONDS:
            self._waiting = self._failure
            return
        documents = self._heldout.read()
        self._reread = self._clock()
        if not documents:
            self._wait("no held-out document was published yet")
        elif folder != self._done or documents != self._documents:
            self._examine(folder, documents)

    def _examine(self, folder: Path, documents: Sequence[Document]) -> None:
        log.info("examining", checkpoint=folder.name, heldout=len(documents))
        began = self._clock()
        self._waiting = self._failure = None
        try:
            examination = self._examiner.examine(folder, documents, lambda: self._stop.requested)
        except BrokenCheckpointError as error:
            if self._newest() != folder:
                return  # its time was over
            self._metrics.failed()
            self._waiting = self._failure = f"the next checkpoint: {error}"
            log.warning("checkpoint not examined", error=str(error))
        else:
            if self._stop.requested:
                return
            seconds = self._clock() - began
            self._history.add(examination)
            self._metrics.examined(examination, self._history.forgetting, seconds)
            log.info(
                "examined",
                checkpoint=folder.name,
                documents=examination.manifest.documents,
                accuracy=round(examination.scores.accuracy, 4),
                forgetting=round(self._history.forgetting.mean, 4),
                seconds=round(seconds, 1),
            )
        self._done, self._documents = folder, documents

    def _wait(self, reason: str) -> None:
        if reason != self._waiting:
            log.info("waiting", because=reason)
        self._waiting = reason
