"""When commits are made, and what is left when one of them fails."""

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
from consumer.kafka.outbox import RECORD_OVERHEAD_BYTES, Outbox, Outgoing, TransactionalDelivery
from consumer.kafka.transaction import AbandonedError, SupersededError, superseded
from consumer.loop.step import Step
from consumer.monitoring.progress import Progress
from newsreel.events.errors import Reason

POINTS = ["snapshot", "checkpoint-draft", "checkpoint-written", "committed", "pruned"]

PATIENCE_SECONDS = 5.0


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Broker:
    """Commits what it is given, when it may, or fails."""

    def __init__(self) -> None:
        self.commits: list[tuple[list[bytes | None], dict[int, int], str]] = []
        self.error: Exception | None = None
        self.away = threading.Event()
        self.away.set()

    def commit(
        self, records: Sequence[Outgoing], positions: Any, id_: str, exists: Callable[[], bool]
    ) -> None:
        assert exists()
        assert self.away.wait(PATIENCE_SECONDS)
        if self.error is not None:
            raise self.error
        self.commits.append(([record.value for record in records], dict(positions), id_))

    @property
    def positions(self) -> list[int]:
        return [positions[0] for _, positions, _ in self.commits]


class Observed:
    """Counts what it is told."""

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


class Count:
    """A part whose state is how far it has got."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


class Run:
    """A consumer all of whose records are unusable: each step brings one, and a record to send."""

    def __init__(self, folder: Path, idle: Step) -> None:
        self.store = CheckpointStore(folder, keep=2)
        self.broker = Broker()
        self.outbox = Outbox(TransactionalDelivery())
        self.progress = Progress()
        self.observed = Observed()
        self.clock = Clock()
        self.part = Count()
        self.points: list[str] = []
        self.overdue = False
        self.fault: Exception | None = None
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
            self.observed,
            Interrupts(overdue=lambda: self.overdue, failpoint=self.points.append),
        )

    def step(self) -> Step:
        """Do what the loop does in a step."""
        letter = DeadLetter("t", 0, self.part.count, None, b"{", [], Reason.NOT_JSON, "why")
        self.outbox.put([Outgoing("t.dead-letters", None, b"%d" % self.part.count, [])])
        self.part.count += 1
        made = with_batch(self._idle, dead_letters=[letter], positions={0: self.part.count})
        self.progress.observe(made)
        return made

    def idle(self) -> Step:
        return with_batch(self._idle, positions={0: self.part.count})

    def follow(self, committer: Committer, count: int) -> None:
        """Do steps, each when the commit of the one before is through."""
        for _ in range(count):
            committer.follow(self.step())
            settle(committer)


def settle(committer: Committer) -> None:
    """Wait for the thread, not for its outcome to be looked at."""
    if committer._thread is not None:
        committer._thread.join(PATIENCE_SECONDS)
        assert not committer._thread.is_alive()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (idle,) = read(build_loop(), [])
    return Run(tmp_path, idle)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let the disk be full, until the returned function is called."""
    no_room = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(descriptor: int) -> None:
        raise no_room

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        yield patch.undo


def test_every_so_many_records(run: Run) -> None:
    """Each commit has the records since the last one, and the state and positions of one step."""
    run.follow(run.committer(every=3), 7)
    assert [(values, at) for values, at, _ in run.broker.commits] == [
        ([b"0", b"1", b"2"], {0: 3}),
        ([b"3", b"4", b"5"], {0: 6}),
    ]
    for _, at, id_ in run.broker.commits:
        restored = Count()
        restore_checkpoint(run.store.folder / id_, {"part": restored})
        assert restored.count == at[0]
        assert Manifest.read(run.store.folder / id_).positions == {"0": at[0]}
    assert run.progress.checkpoint == run.broker.commits[-1][2]
    assert len(run.observed.sizes) == 2
    assert min(run.observed.sizes) > 0
    assert run.points == POINTS * 2
    assert run.outbox.size == RECORD_OVERHEAD_BYTES + 1


def test_after_so_many_seconds(run: Run) -> None:
    """Little that came is committed in time, also while nothing comes; nothing is not."""
    committer = run.committer(seconds=60.0)
    committer.follow(run.step())
    run.clock.now = 59.9
    committer.follow(run.idle())
    assert run.broker.commits == []
    run.clock.now = 60.0
    committer.follow(run.idle())
    settle(committer)
    assert run.broker.positions == [1]
    for run.clock.now in range(61, 600, 30):
        committer.follow(run.idle())
        settle(committer)
    committer.finish(run.idle())
    assert run.broker.positions == [1]


def test_offsets_are_renewed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers forget offsets that are not committed for days: they are, though nothing comes."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 1000.0)
    committer = run.committer(seconds=60.0)
    committer.follow(run.step())
    for run.clock.now in range(60, 3000, 30):
        committer.follow(run.idle())
        settle(committer)
    assert run.broker.positions == [1, 1, 1]


def test_the_end(run: Run) -> None:
    """What is left is committed at the end, once."""
    committer = run.committer()
    run.follow(committer, 2)
    committer.finish(run.idle())
    assert run.broker.positions == [2]
    assert run.outbox.size == 0
    committer.finish(run.idle())
    assert run.broker.positions == [2]


def test_learning_goes_on_beside_it(run: Run) -> None:
    """While a commit waits for the broker, steps go on; it has nothing of them."""
    committer = run.committer(every=2)
    run.broker.away.clear()
    for _ in range(7):
        committer.follow(run.step())
    assert run.broker.commits == []
    run.broker.away.set()
    settle(committer)
    committer.finish(run.idle())
    assert [(values, at[0]) for values, at, _ in run.broker.commits] == [
        ([b"0", b"1"], 2),
        ([b"2", b"3", b"4", b"5", b"6"], 7),
    ]


def test_a_full_disk(run: Run, full: Callable[[], None]) -> None:
    """Learning goes on, the failure is seen, nothing is lost, and later it is tried again."""
    committer = run.committer(every=2)
    run.follow(committer, 9)
    assert (run.broker.commits, run.store.ids()) == ([], [])
    assert run.observed.failures == 1
    assert not committer.failed
    full()
    run.follow(committer, 2)
    assert run.broker.commits == []  # not before its time
    run.clock.now += module.RETRY_SECONDS
    run.follow(committer, 2)
    ((values, _, id_),) = run.broker.commits
    assert values[:9] == [b"%d" % number for number in range(9)]
    assert run.store.ids() == [id_]
    committer.finish(run.idle())
    assert [x for values, *_ in run.broker.commits for x in values] == [
        b"%d" % number for number in range(13)
    ]


@pytest.mark.usefixtures("full")
def test_a_full_disk_is_tried_again_soon(run: Run) -> None:
    """However seldom commits are due, one that failed is tried again after ten seconds."""
    committer = run.committer(every=1000)
    run.follow(committer, 2)
    for failures in (1, 2, 3):
        run.clock.now += 60 if failures == 1 else module.RETRY_SECONDS
        run.follow(committer, 2)
        assert run.observed.failures == failures


@pytest.mark.usefixtures("full")
def test_a_disk_that_is_full_at_the_end(run: Run) -> None:
    """Then it is told in one line."""
    committer = run.committer(every=2)
    run.follow(committer, 3)
    with pytest.raises(CheckpointError, match="make room"):
        committer.finish(run.idle())
    assert run.broker.commits == []


def test_superseded(run: Run) -> None:
    """When another has taken over, the next step is the last; nothing was committed."""
    committer = run.committer(every=2)
    run.broker.error = superseded("g")
    run.follow(committer, 2)
    assert committer.failed
    with pytest.raises(SupersededError):
        committer.follow(run.step())


def test_superseded_at_the_end(run: Run) -> None:
    """It is no success."""
    run.broker.error = superseded("g")
    committer = run.committer()
    run.follow(committer, 2)
    with pytest.raises(SupersededError):
        committer.finish(run.idle())


def test_overdue(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has to end, it does not wait for a broker for ever."""
    monkeypatch.setattr(module, "COMMIT_GRACE_SECONDS", 0.5)
    committer = run.committer()
    run.follow(committer, 1)
    run.broker.away.clear()
    run.overdue = True
    with pytest.raises(AbandonedError):
        committer.finish(run.idle())
    run.broker.away.set()
    settle(committer)


@pytest.mark.parametrize("fault", ["broker", "disk"])
def test_memory_is_bounded(
    run: Run, monkeypatch: pytest.MonkeyPatch, fault: str, request: pytest.FixtureRequest
) -> None:
    """With too much uncommitted, learning waits until some of it is, or it has to end."""
    monkeypatch.setattr(module, "MAX_UNCOMMITTED_BYTES", 5 * RECORD_OVERHEAD_BYTES)
    monkeypatch.setattr(module, "SOON_BYTES", 5 * RECORD_OVERHEAD_BYTES)
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    mend = run.broker.away.set
    if fault == "broker":
        run.broker.away.clear()
    else:
        mend = request.getfixturevalue("full")
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
    mend()
    run.clock.now += module.RETRY_SECONDS
    thread.join(PATIENCE_SECONDS)
    assert len(done) == 20
    committer.finish(run.idle())
    assert [x for values, *_ in run.broker.commits for x in values] == [
        b"%d" % number for number in range(20)
    ]


def test_much_that_waits_is_committed_soon(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before learning has to wait, a commit is begun ahead of its time."""
    monkeypatch.setattr(module, "SOON_BYTES", 3 * RECORD_OVERHEAD_BYTES)
    run.follow(run.committer(every=100), 4)
    assert run.broker.positions == [3]


def test_nothing_before_what_was_published(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier life has committed is passed before anything new is, however much waits."""
    monkeypatch.setattr(module, "MAX_UNCOMMITTED_BYTES", 2 * RECORD_OVERHEAD_BYTES)
    committer = run.committer(every=2, not_before={0: 5})
    run.follow(committer, 4)
    run.clock.now += 1000
    committer.follow(run.idle())
    assert run.broker.commits == []
    run.follow(committer, 1)
    assert run.broker.positions == [5]


def test_it_ends_before_what_was_published(run: Run) -> None:
    """Then nothing is committed: the next start goes back once more."""
    committer = run.committer(every=2, not_before={0: 5, 1: 1})
    run.follow(committer, 9)
    committer.finish(run.idle())
    assert run.broker.commits == []
