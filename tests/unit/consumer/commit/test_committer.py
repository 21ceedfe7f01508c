"""When commits are made, and how failed commits are retried."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from loops import build_loop, read, with_batch

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import CheckpointError, Manifest
from consumer.checkpoints.state import CheckpointContents
from consumer.checkpoints.store import CheckpointStore, restore_checkpoint
from consumer.commit import committer as module
from consumer.commit.committer import CommitSchedule, Committer
from consumer.kafka.batch import DeadLetter
from consumer.kafka.commits import AbandonedError, SupersededError, superseded
from consumer.kafka.outbox import RECORD_OVERHEAD_BYTES, Outbox, Outgoing, TransactionalDelivery
from consumer.loop.step import Step
from consumer.monitoring.progress import Progress
from newsreel.events.errors import Reason

POINTS = ["snapshot", "checkpoint-draft", "checkpoint-written", "committed", "pruned"]

PATIENCE_SECONDS = 5.0


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Broker:
    """A broker in memory: commits while it is reachable, or raises an error."""

    def __init__(self) -> None:
        self.commits: list[tuple[list[bytes | None], dict[int, int], str]] = []
        self.error: Exception | None = None
        self.problem: str | None = None
        self.reachable = threading.Event()
        self.reachable.set()

    def commit(
        self, records: Sequence[Outgoing], positions: Any, id_: str, exists: Callable[[], bool]
    ) -> None:
        assert exists()
        assert self.reachable.wait(PATIENCE_SECONDS)
        if self.error is not None:
            raise self.error
        self.commits.append(([record.value for record in records], dict(positions), id_))

    @property
    def positions(self) -> list[int]:
        return [positions[0] for _, positions, _ in self.commits]


class Observer:
    """Counts commits and failures."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.failures = 0

    def committed(self, seconds: float, size: int) -> None:
        assert seconds >= 0
        self.sizes.append(size)

    def learning_paused(self, seconds: float) -> None:
        assert seconds >= 0

    def checkpoint_failed(self) -> None:
        self.failures += 1


class Counter:
    """A part whose state is the number of steps."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


class Run:
    """A consumer of unusable records: each step has a dead letter and a record to publish."""

    def __init__(self, folder: Path, idle: Step) -> None:
        self.store = CheckpointStore(folder, keep=2)
        self.broker = Broker()
        self.outbox = Outbox(TransactionalDelivery())
        self.progress = Progress()
        self.observer = Observer()
        self.clock = Clock()
        self.part = Counter()
        self.points: list[str] = []
        self.overdue = False
        self._idle = idle

    def committer(
        self, every: int = 10, seconds: float = 60.0, not_before: Mapping[int, int] | None = None
    ) -> Committer:
        return Committer(
            self.store,
            self.broker,  # type: ignore[arg-type]
            self.outbox,
            CheckpointContents({"part": self.part, "progress": self.progress}, "t", "g", {}),
            self.progress,
            CommitSchedule(every, seconds, not_before or {}, self.clock),
            self.observer,
            Interrupts(overdue=lambda: self.overdue, failpoint=self.points.append),
        )

    def step(self) -> Step:
        """Make a step with one dead letter."""
        letter = DeadLetter("t", 0, self.part.count, None, b"{", [], Reason.NOT_JSON, "why")
        self.outbox.put([Outgoing("t.dead-letters", None, b"%d" % self.part.count, [])])
        self.part.count += 1
        step = with_batch(self._idle, dead_letters=[letter], positions={0: self.part.count})
        self.progress.observe(step)
        return step

    def idle(self) -> Step:
        return with_batch(self._idle, positions={0: self.part.count})

    def follow(self, committer: Committer, count: int) -> None:
        """Make steps, each after the end of the commit before."""
        for _ in range(count):
            committer.follow(self.step())
            wait_for_commit(committer)


def wait_for_commit(committer: Committer) -> None:
    """Wait for the thread of a commit; the committer has not yet read its outcome."""
    if committer._thread is not None:
        committer._thread.join(PATIENCE_SECONDS)
        assert not committer._thread.is_alive()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (idle,) = read(build_loop(), [])
    return Run(tmp_path, idle)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Make the disk full until the returned function is called."""
    no_space = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(descriptor: int) -> None:
        raise no_space

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        yield patch.undo


def test_number_of_records(run: Run) -> None:
    """A commit has the records since the commit before, and state and positions of one step."""
    run.follow(run.committer(every=3), 7)
    assert [(values, positions) for values, positions, _ in run.broker.commits] == [
        ([b"0", b"1", b"2"], {0: 3}),
        ([b"3", b"4", b"5"], {0: 6}),
    ]
    for _, positions, id_ in run.broker.commits:
        restored = Counter()
        restore_checkpoint(run.store.folder / id_, {"part": restored})
        assert restored.count == positions[0]
        assert Manifest.read(run.store.folder / id_).positions == {"0": positions[0]}
    assert run.progress.checkpoint == run.broker.commits[-1][2]
    assert len(run.observer.sizes) == 2
    assert min(run.observer.sizes) > 0
    assert run.points == POINTS * 2
    assert run.outbox.size == RECORD_OVERHEAD_BYTES + 1


def test_time_between_commits(run: Run) -> None:
    """New records are committed in time, also in a pause; without new records, nothing is."""
    committer = run.committer(seconds=60.0)
    committer.follow(run.step())
    run.clock.now = 59.9
    committer.follow(run.idle())
    assert run.broker.commits == []
    run.clock.now = 60.0
    committer.follow(run.idle())
    wait_for_commit(committer)
    assert run.broker.positions == [1]
    for run.clock.now in range(61, 600, 30):
        committer.follow(run.idle())
        wait_for_commit(committer)
    committer.finish(run.idle())
    assert run.broker.positions == [1]


def test_offsets_are_renewed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets are committed again after a while, as brokers delete offsets after some days."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 1000.0)
    committer = run.committer(seconds=60.0)
    committer.follow(run.step())
    for run.clock.now in range(60, 3000, 30):
        committer.follow(run.idle())
        wait_for_commit(committer)
    assert run.broker.positions == [1, 1, 1]


def test_finish(run: Run) -> None:
    """The last records are committed at the end, once."""
    committer = run.committer()
    run.follow(committer, 2)
    committer.finish(run.idle())
    assert run.broker.positions == [2]
    assert run.outbox.size == 0
    committer.finish(run.idle())
    assert run.broker.positions == [2]


def test_steps_during_a_commit(run: Run) -> None:
    """Steps continue while a commit waits for the broker; it does not contain these steps."""
    committer = run.committer(every=2)
    run.broker.reachable.clear()
    for _ in range(7):
        committer.follow(run.step())
    assert run.broker.commits == []
    run.broker.reachable.set()
    wait_for_commit(committer)
    committer.finish(run.idle())
    assert [(values, positions[0]) for values, positions, _ in run.broker.commits] == [
        ([b"0", b"1"], 2),
        ([b"2", b"3", b"4", b"5", b"6"], 7),
    ]


def test_full_disk(run: Run, full_disk: Callable[[], None]) -> None:
    """After a failed checkpoint, learning continues; a later commit has all records."""
    committer = run.committer(every=2)
    run.follow(committer, 9)
    assert (run.broker.commits, run.store.ids()) == ([], [])
    assert run.observer.failures == 1
    assert not committer.failed
    full_disk()
    run.follow(committer, 2)
    assert run.broker.commits == []  # the time of the next attempt has not come
    run.clock.now += module.RETRY_SECONDS
    run.follow(committer, 2)
    ((values, _, id_),) = run.broker.commits
    assert values[:9] == [b"%d" % number for number in range(9)]
    assert run.store.ids() == [id_]
    committer.finish(run.idle())
    assert [value for values, *_ in run.broker.commits for value in values] == [
        b"%d" % number for number in range(13)
    ]


@pytest.mark.usefixtures("full_disk")
def test_retry_after_a_full_disk(run: Run) -> None:
    """A failed commit is tried again after ten seconds, even if commits are rare."""
    committer = run.committer(every=1000)
    run.follow(committer, 2)
    for failures in (1, 2, 3):
        run.clock.now += 60 if failures == 1 else module.RETRY_SECONDS
        run.follow(committer, 2)
        assert run.observer.failures == failures


@pytest.mark.usefixtures("full_disk")
def test_full_disk_at_the_end(run: Run) -> None:
    """If the last checkpoint cannot be written, the run ends with an error."""
    committer = run.committer(every=2)
    run.follow(committer, 3)
    with pytest.raises(CheckpointError, match="make room"):
        committer.finish(run.idle())
    assert run.broker.commits == []


def test_superseded(run: Run) -> None:
    """After a takeover by another consumer, the next step raises the error."""
    committer = run.committer(every=2)
    run.broker.error = superseded("g")
    run.follow(committer, 2)
    assert committer.failed
    with pytest.raises(SupersededError):
        committer.follow(run.step())


def test_superseded_at_the_end(run: Run) -> None:
    """A last commit that is refused after a takeover is an error."""
    run.broker.error = superseded("g")
    committer = run.committer()
    run.follow(committer, 2)
    with pytest.raises(SupersededError):
        committer.finish(run.idle())


def test_overdue(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that is overdue stops waiting for the broker."""
    monkeypatch.setattr(module, "COMMIT_GRACE_SECONDS", 0.5)
    committer = run.committer()
    run.follow(committer, 1)
    run.broker.reachable.clear()
    run.overdue = True
    with pytest.raises(AbandonedError):
        committer.finish(run.idle())
    run.broker.reachable.set()
    wait_for_commit(committer)


@pytest.mark.parametrize("fault", ["broker", "disk"])
def test_memory_is_bounded(
    run: Run, monkeypatch: pytest.MonkeyPatch, fault: str, request: pytest.FixtureRequest
) -> None:
    """Learning waits while too many bytes are uncommitted."""
    monkeypatch.setattr(module, "MAX_UNCOMMITTED_BYTES", 5 * RECORD_OVERHEAD_BYTES)
    monkeypatch.setattr(module, "SOON_BYTES", 5 * RECORD_OVERHEAD_BYTES)
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    repair = run.broker.reachable.set
    if fault == "broker":
        run.broker.reachable.clear()
    else:
        repair = request.getfixturevalue("full_disk")
    committer = run.committer(every=1)
    done: list[int] = []

    def learn() -> None:
        for number in range(20):
            committer.follow(run.step())
            done.append(number)

    thread = threading.Thread(target=learn, daemon=True)
    thread.start()
    time.sleep(0.3)
    assert len(done) == 4
    repair()
    run.clock.now += module.RETRY_SECONDS
    thread.join(PATIENCE_SECONDS)
    assert len(done) == 20
    committer.finish(run.idle())
    assert [value for values, *_ in run.broker.commits for value in values] == [
        b"%d" % number for number in range(20)
    ]


def test_early_commit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit starts early if many bytes wait, before learning would have to wait."""
    monkeypatch.setattr(module, "SOON_BYTES", 3 * RECORD_OVERHEAD_BYTES)
    run.follow(run.committer(every=100), 4)
    assert run.broker.positions == [3]


def test_no_commit_before_published_records(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is committed before the positions of an earlier run, however many bytes wait."""
    monkeypatch.setattr(module, "MAX_UNCOMMITTED_BYTES", 2 * RECORD_OVERHEAD_BYTES)
    committer = run.committer(every=2, not_before={0: 5})
    run.follow(committer, 4)
    run.clock.now += 1000
    committer.follow(run.idle())
    assert run.broker.commits == []
    run.follow(committer, 1)
    assert run.broker.positions == [5]


def test_end_before_published_records(run: Run) -> None:
    """A run that ends before the positions of an earlier run commits nothing."""
    committer = run.committer(every=2, not_before={0: 5, 1: 1})
    run.follow(committer, 9)
    committer.finish(run.idle())
    assert run.broker.commits == []


def test_problem_of_a_full_disk(run: Run, full_disk: Callable[[], None]) -> None:
    """Once commits have failed for longer than their interval allows, the reason is reported."""
    committer = run.committer(every=1, seconds=60.0)
    reasons = []
    for run.clock.now in range(0, 150, 10):
        run.follow(committer, 1)
        reasons.append(committer.problem())
    assert reasons[:6] == [None] * 6
    assert "no commit for 2 min" in str(reasons[-1])
    assert "No space left" in str(reasons[-1])
    assert committer.overdue() > 0.0
    full_disk()
    for run.clock.now in (160, 180):
        run.follow(committer, 1)
    assert committer.problem() is None
    assert committer.overdue() == 0.0


def test_problem_of_a_broker(run: Run) -> None:
    """While a commit waits for the broker, what the broker says is reported."""
    committer = run.committer(every=1, seconds=1.0)
    run.broker.reachable.clear()
    committer.follow(run.step())
    run.clock.now = 30.0
    committer.follow(run.step())
    assert committer.problem() is None
    run.clock.now = 200.0
    assert committer.problem() == "a commit takes 200 s"
    run.broker.problem = "topic 't' has too few replicas"
    assert committer.problem() == "no commit for 3 min: topic 't' has too few replicas"
    run.broker.reachable.set()
    wait_for_commit(committer)
    run.broker.problem = None
    committer.follow(run.idle())
    wait_for_commit(committer)
    assert committer.problem() is None
