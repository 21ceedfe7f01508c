"""The one point at which learning becomes final."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from kafka.errors import KafkaError

from consumer.checkpoint import CheckpointStore, Stateful
from consumer.dead_letters import DeadLetterPublisher
from consumer.prequential import Step
from consumer.progress import Progress
from consumer.source import KafkaSource
from service.errors import UserError

PATIENCE_SECONDS = 60.0
"""How long a commit is tried before the consumer gives up."""
RETRY_SECONDS = 1.0

log = structlog.get_logger()


class CommitError(UserError):
    """The broker did not take a commit."""


class Committer:
    """Writes checkpoints and commits the offsets that go with them.

    1. Write the checkpoint, whole, under a name of its own.
    2. Wait until every dead letter so far is delivered.
    3. Commit the offsets; their metadata names the checkpoint.
    4. Delete checkpoints that are no longer needed.

    Whatever happens between two of these, the next start finds offsets and a checkpoint that
    belong together: those of the last commit.

    Parameters
    ----------
    parts
        What a checkpoint keeps, by name.
    describes
        What the checkpoints fit.
    about
        Topic and group, for the manifest.
    every
        Records between two commits.
    observe
        Told how many seconds each one took.
    """

    def __init__(
        self,
        store: CheckpointStore,
        parts: Mapping[str, Stateful],
        describes: Mapping[str, Any],
        progress: Progress,
        dead_letters: DeadLetterPublisher,
        source: KafkaSource,
        about: Mapping[str, str],
        every: int,
        observe: Callable[[float], None],
    ) -> None:
        self._store = store
        self._parts = parts
        self._describes = describes
        self._progress = progress
        self._dead_letters = dead_letters
        self._source = source
        self._about = about
        self._every = every
        self._observe = observe
        self._committed = progress.records
        self._last: Step | None = None

    def due(self) -> bool:
        """Whether enough records have come since the last commit."""
        return self._progress.records - self._committed >= self._every

    def covers(self, step: Step) -> bool:
        """Whether a step, and so all before it, is committed."""
        return step is self._last

    def commit(self, step: Step) -> None:
        """Make everything up to a step final.

        Raises
        ------
        CheckpointError, DeadLetterError, CommitError
            It is not final; the last commit still stands.
        """
        started = time.perf_counter()
        id_ = self._store.save(
            self._parts,
            **self._about,
            positions={str(partition): offset for partition, offset in step.positions.items()},
            documents=self._progress.documents,
            describes=self._describes,
        )
        self._dead_letters.flush()
        self._commit_offsets(step.positions, id_)
        self._store.prune(id_)
        self._committed = self._progress.records
        self._last = step
        seconds = time.perf_counter() - started
        self._observe(seconds)
        log.info("committed", checkpoint=id_, seconds=round(seconds, 2))

    def _commit_offsets(self, positions: Mapping[int, int], id_: str) -> None:
        """Commit, and try again while the broker is away or the group is rebalancing."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._source.commit(positions, id_)
            except KafkaError as error:
                if time.monotonic() > deadline:
                    raise CommitError(
                        f"the broker did not take the commit of checkpoint {id_} ({error}); what"
                        " was learned since the last one will be learned again: start again"
                    ) from error
                log.warning("commit failed, trying again", checkpoint=id_, error=str(error))
                time.sleep(RETRY_SECONDS)
