"""Commits: the one point at which learning and predictions become final."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import CheckpointError
from consumer.checkpoints.note import note_committed
from consumer.checkpoints.state import CheckpointContents, Snapshot, take_snapshot
from consumer.checkpoints.store import CheckpointStore
from consumer.commit.punctuality import Punctuality
from consumer.kafka.commits import AbandonedError, Commits
from consumer.kafka.outbox import Outbox, Outgoing
from consumer.loop.step import Step
from consumer.monitoring.progress import Progress

RETRY_SECONDS = 10.0
"""Seconds between a failed checkpoint and the next attempt."""

WAIT_SECONDS = 0.1

RENEW_SECONDS = 6 * 3600.0
"""Seconds between commits while nothing changes: brokers delete old offsets."""

COMMIT_GRACE_SECONDS = 30.0
"""Seconds that a commit may take once the run is overdue."""

MAX_UNCOMMITTED_BYTES = 32 << 20
"""Bytes of uncommitted records at which learning waits."""

SOON_BYTES = 8 << 20
"""Bytes of uncommitted records that start a commit early."""

log = structlog.get_logger()


class CommitObserver(Protocol):
    """Measures commits; called by the thread that makes them."""

    def committed(self, seconds: float, size: int) -> None:
        """Record a commit: seconds since its snapshot, bytes of its checkpoint."""
        ...

    def learning_paused(self, seconds: float) -> None:
        """Record how long learning has waited for a commit."""
        ...

    def checkpoint_failed(self) -> None:
        """Count a checkpoint that could not be written."""
        ...


@dataclass(frozen=True, slots=True)
class CommitSchedule:
    """Schedule of commits."""

    every: int
    """Records between two commits, rounded up to whole steps."""

    seconds: float
    """Longest time between two commits, in seconds, while there is something to commit."""

    not_before: Mapping[int, int] = field(default_factory=dict)
    """Positions by partition up to which an earlier run has published predictions already.
    Nothing is committed before the stream has passed them."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic clock in seconds."""


@dataclass(slots=True)
class _Commit:
    """A commit that is being made."""

    snapshot: Snapshot
    positions: Mapping[int, int]
    documents: int
    records: Sequence[tuple[Outgoing, Any | None]]
    started: float
    pause: float = 0.0
    id: str | None = None
    error: BaseException | None = None


class Committer:
    """Writes checkpoints, and commits the predictions and offsets that go with them.

    0. Between two steps, copy the state of every part. The steps below run beside learning.
    1. Write the checkpoint under an id of its own.
    2. In one Kafka transaction, publish predictions and dead letters since the last commit, and
       commit the offsets, whose metadata names the checkpoint.
    3. Delete checkpoints that are no longer needed.

    If the process ends between two of these, the next start finds offsets, predictions and a
    checkpoint that belong together: those of the last commit.

    Parameters
    ----------
    store
        Folder of checkpoints.
    commits
        Commits of the group.
    outbox
        Records to publish with the next commit.
    contents
        Parts and description that a checkpoint holds.
    progress
        Numbers of records and documents; it receives the id of each committed checkpoint.
    schedule
        Schedule of commits.
    observer
        Measures of commits.
    interrupts
        When fenced or overdue, a commit is not waited for; the failpoints are "snapshot",
        "committed" and "pruned", beside those of the store and of the transaction.
    """

    def __init__(
        self,
        store: CheckpointStore,
        commits: Commits,
        outbox: Outbox,
        contents: CheckpointContents,
        progress: Progress,
        schedule: CommitSchedule,
        observer: CommitObserver,
        interrupts: Interrupts,
    ) -> None:
        self._store = store
        self._commits = commits
        self._outbox = outbox
        self._contents = contents
        self._progress = progress
        self._schedule = schedule
        self._observer = observer
        self._interrupts = interrupts
        self._clock = schedule.clock
        self._records = progress.records
        self._changed = False
        self._punctuality = Punctuality(schedule.seconds, schedule.clock)
        self._failure: str | None = None
        self._next = self._clock() + schedule.seconds
        self._not_before = -math.inf
        self._under_way: _Commit | None = None
        self._thread: threading.Thread | None = None
        self.failed = False

    def follow(self, step: Step) -> None:
        """Observe a step, and begin a commit if one is due.

        Raises
        ------
        SupersededError, AbandonedError
            The last commit failed for good.
        """
        self._changed |= step.changed
        self._settle()
        if not self._far_enough(step.batch.positions):
            return  # earlier records were published by an earlier run: publish none twice
        if step.changed:
            self._punctuality.changed()
        if self._outbox.size > MAX_UNCOMMITTED_BYTES:
            self._make_room(step)
        elif self._under_way is None and self._due():
            self._begin(step.batch.positions)

    def problem(self) -> str | None:
        """Return the complaint that no commit succeeds; None while commits are in time."""
        return self._punctuality.problem(self._commits.problem or self._failure)

    def overdue(self) -> float:
        """Return the seconds since a commit should have succeeded; 0 if none is missing."""
        return self._punctuality.overdue()

    def finish(self, step: Step) -> None:
        """Commit everything up to a step.

        Raises
        ------
        CheckpointError, SupersededError, AbandonedError
            The commit failed; the previous commit remains valid.
        """
        self._wait()
        if not self._changed or not self._far_enough(step.batch.positions):
            return
        self._begin(step.batch.positions)
        failure = self._wait()
        if failure is not None:
            raise failure

    def _due(self) -> bool:
        if self._clock() < self._not_before:
            return False
        if not self._changed:
            return self._clock() >= self._next + RENEW_SECONDS
        enough = self._progress.records - self._records >= self._schedule.every
        return enough or self._clock() >= self._next or self._outbox.size > SOON_BYTES

    def _far_enough(self, positions: Mapping[int, int]) -> bool:
        return all(
            positions.get(partition, 0) >= end
            for partition, end in self._schedule.not_before.items()
        )

    def _begin(self, positions: Mapping[int, int]) -> None:
        started = time.perf_counter()
        snapshot = take_snapshot(self._contents.parts)
        self._interrupts.failpoint("snapshot")
        commit = _Commit(
            snapshot, positions, self._progress.documents, self._outbox.waiting(), started
        )
        self._records = self._progress.records
        self._changed = False
        self._next = self._clock() + self._schedule.seconds
        self._under_way = commit
        self._punctuality.begun()
        self._thread = threading.Thread(
            target=self._carry_out, args=[commit], name="commit", daemon=True
        )
        commit.pause = time.perf_counter() - started
        self._observer.learning_paused(commit.pause)
        self._thread.start()

    def _carry_out(self, commit: _Commit) -> None:
        try:
            id_ = self._store.save(
                commit.snapshot,
                self._interrupts,
                positions={str(partition): end for partition, end in commit.positions.items()},
                documents=commit.documents,
                topic=self._contents.topic,
                group=self._contents.group,
                describes=self._contents.describes,
                topic_id=self._contents.topic_id,
            )
            records = self._outbox.undelivered(commit.records)
            folder = self._store.folder / id_
            self._commits.commit(records, commit.positions, id_, folder.exists)
            note_committed(self._store.folder, id_)
            self._interrupts.failpoint("committed")
            size = self._store.size(id_)
            self._store.prune(id_)
            self._interrupts.failpoint("pruned")
            commit.id = id_
            self._punctuality.succeeded()
            self._failure = None
            seconds = time.perf_counter() - commit.started
            self._observer.committed(seconds, size)
            times = {"seconds": round(seconds, 2), "pause": round(commit.pause, 3)}
            log.info("committed", checkpoint=id_, bytes=size, **times)
        except BaseException as error:  # noqa: BLE001 - raised by `_settle` in the loop's thread
            commit.error = error
            self.failed = not isinstance(error, CheckpointError)

    def _settle(self) -> CheckpointError | None:
        """Record the end of a commit; return its error if another attempt can follow."""
        commit, thread = self._under_way, self._thread
        if commit is None or thread is None or thread.is_alive():
            return None
        self._under_way = self._thread = None
        if commit.error is None:
            self._outbox.drop(len(commit.records))
            self._progress.checkpoint = commit.id
            return None
        if not isinstance(commit.error, CheckpointError):
            raise commit.error
        self._observer.checkpoint_failed()
        self._punctuality.failed()
        self._failure = str(commit.error)
        log.error("learning goes on, uncommitted", error=str(commit.error))
        self._changed = True
        self._next = self._not_before = self._clock() + RETRY_SECONDS
        return commit.error

    def _wait(self) -> CheckpointError | None:
        """Wait for the commit that is being made, if there is one."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(WAIT_SECONDS)
            under_way = time.perf_counter() - self._under_way.started if self._under_way else 0.0
            late = under_way > COMMIT_GRACE_SECONDS and self._interrupts.overdue()
            if late and self._thread.is_alive():
                reason = self._commits.problem or "no answer"
                raise AbandonedError(
                    f"the broker did not take the last commit in time ({reason}); what was learned"
                    " since the one before will be learned again: start again"
                )
        return self._settle()

    def _interrupted(self) -> bool:
        return self._interrupts.overdue() or self._interrupts.fenced()

    def _make_room(self, step: Step) -> None:
        """Wait until the uncommitted records fit into memory."""
        started = time.perf_counter()
        while self._outbox.size > MAX_UNCOMMITTED_BYTES and not self._interrupted():
            if self._under_way is None and self._clock() >= self._not_before:
                self._begin(step.batch.positions)
            self._wait()
            time.sleep(WAIT_SECONDS)
        self._observer.learning_paused(time.perf_counter() - started)
