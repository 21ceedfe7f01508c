"""One consumer learns and the others stand by, however the holder ends."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

from consumer.checkpoints import lease as module
from consumer.checkpoints.lease import Lease

TAKEOVER_SECONDS = 60.0


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


Make = Callable[..., Lease]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Build leases of one folder, which are released after the test."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(module, "MISSING_SECONDS", 0.0)
    leases: list[Lease] = []

    def call(clock: Callable[[], float] | None = None) -> Lease:
        leases.append(Lease(tmp_path, TAKEOVER_SECONDS, clock or Clock()))
        return leases[-1]

    yield call
    for lease in leases:
        if not lease._own.closed:
            lease.release()


class Standby:
    """A thread that tries to acquire a lease."""

    def __init__(self, lease: Lease) -> None:
        self.waits = threading.Event()
        self.holder: str | None = None
        self.stop_requested = False
        self.acquired: bool | None = None
        self._thread = threading.Thread(target=self._acquire, args=[lease], daemon=True)
        self._thread.start()

    def _acquire(self, lease: Lease) -> None:
        self.acquired = lease.acquire(lambda: self.stop_requested, self._waiting)

    def _waiting(self, holder: str) -> None:
        assert self.holder is None, "notified twice"
        self.holder = holder
        self.waits.set()

    def outcome(self) -> bool | None:
        self._thread.join(5)
        return self.acquired


def acquired(lease: Lease) -> bool:
    return lease.acquire(lambda: False, lambda _: pytest.fail("it waits"))


def silence(lease: Lease) -> None:
    """Stop a holder as SIGSTOP would: its file stays locked, and it gives no sign of life."""
    lease._ended.set()
    lease._thread.join()


def test_first_consumer(make: Make) -> None:
    """A lease without a holder is acquired at once."""
    first = make()
    assert acquired(first)
    assert not first.fenced()


def test_released(make: Make) -> None:
    """A standby takes over when the lease is released; the file then names no holder."""
    first, second = make(), make()
    assert acquired(first)
    standby = Standby(second)
    assert standby.waits.wait(5)
    assert standby.holder == first._id
    assert standby.acquired is None
    first.release()
    assert standby.outcome()
    assert not second.fenced()
    folder = second._folder
    second.release()
    assert [path.read_text() for path in folder.iterdir()] == [""]


def test_successor_that_has_ended(make: Make) -> None:
    """A holder that was stopped for its successor's whole life is fenced, too."""
    clock = Clock()
    sleeper, successor = make(), make(clock)
    assert acquired(sleeper)
    silence(sleeper)
    standby = Standby(successor)
    assert standby.waits.wait(5)
    clock.now += TAKEOVER_SECONDS + 1
    assert standby.outcome()
    successor.release()
    assert sleeper.fenced()


def test_live_holder(make: Make) -> None:
    """A holder with signs of life keeps the lease, however long others wait."""
    clock = Clock()
    first, second = make(), make(clock)
    assert acquired(first)
    standby = Standby(second)
    assert standby.waits.wait(5)
    for _ in range(5):
        clock.now += TAKEOVER_SECONDS / 2
        time.sleep(0.15)
    assert standby.acquired is None
    assert not first.fenced()


def test_silent_holder(make: Make) -> None:
    """A stopped holder loses the lease after the patience, not before, and is fenced."""
    clock = Clock()
    first, second = make(), make(clock)
    assert acquired(first)
    silence(first)
    standby = Standby(second)
    assert standby.waits.wait(5)
    time.sleep(0.1)
    clock.now += TAKEOVER_SECONDS
    time.sleep(0.1)
    assert standby.acquired is None
    clock.now += 0.1
    assert standby.outcome()
    assert first.fenced()
    assert not second.fenced()
    first.release()
    time.sleep(0.03)  # an answer is cached for a moment
    assert not second.fenced()


def test_patience_starts_again_with_each_holder(make: Make) -> None:
    """The silence of a holder does not count against its successor."""
    clock = Clock()
    first, second, third = make(), make(clock), make(clock)
    assert acquired(first)
    silence(first)
    first._own.truncate(0)  # its count equals the first count of the successor
    waiting = Standby(third)
    assert waiting.waits.wait(5)
    clock.now += TAKEOVER_SECONDS / 2
    second._beat = lambda: None  # type: ignore[method-assign]
    second._thread = threading.Thread(target=second._beat)
    assert second._take()
    time.sleep(0.1)
    clock.now += TAKEOVER_SECONDS - 0.1
    time.sleep(0.1)
    assert waiting.acquired is None
    clock.now += 0.2
    assert waiting.outcome()


HOLD = """
import sys, time
from pathlib import Path
from consumer.checkpoints.lease import Lease
lease = Lease(Path(sys.argv[1]))
assert lease.acquire(lambda: False, print)
print("held", flush=True)
time.sleep(60)
"""


def test_dead_holder(make: Make, tmp_path: Path) -> None:
    """A holder whose process has ended is replaced without patience."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        standby = Standby(make())
        assert standby.waits.wait(5)
        assert standby.acquired is None
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert standby.outcome()


def test_standby_can_be_stopped(make: Make) -> None:
    """A standby that is stopped leaves the lease to its holder."""
    first, second = make(), make()
    assert acquired(first)
    standby = Standby(second)
    assert standby.waits.wait(5)
    standby.stop_requested = True
    assert standby.outcome() is False
    second.release()
    assert not first.fenced()


@pytest.mark.parametrize("vacant", ["never held", "dead", "silent"])
def test_one_of_several_learns(make: Make, vacant: str) -> None:
    """Of several consumers that take over at once, all but one are fenced."""
    clock = Clock()
    if vacant != "never held":
        first = make()
        assert acquired(first)
        silence(first)
        if vacant == "dead":
            first._own.close()
    rivals = [make(clock) for _ in range(4)]
    standbys = [Standby(rival) for rival in rivals]
    time.sleep(0.1)
    clock.now += TAKEOVER_SECONDS + 1
    time.sleep(0.5)
    holding = [
        rival
        for rival, standby in zip(rivals, standbys, strict=True)
        if standby.acquired and not rival.fenced()
    ]
    assert len(holding) == 1
    for standby in standbys:
        standby.stop_requested = True
        standby.outcome()


def test_full_disk(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign of life that can't be written does not end the following ones."""
    first = make()
    failures = iter(range(3))
    write = os.pwrite

    def full(*arguments: Any) -> int:
        if next(failures, None) is not None:
            raise OSError(28, "No space left on device")
        return write(*arguments)

    monkeypatch.setattr(os, "pwrite", full)
    assert acquired(first)
    time.sleep(0.3)
    assert next(failures, None) is None
    assert int(first._count(first._id)) > 3


def test_deleted_folder(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder whose folder was deleted keeps the lease, and creates its files again."""
    first = make()
    assert acquired(first)
    shutil.rmtree(tmp_path)
    assert not first.fenced()
    deadline = time.monotonic() + 5
    while not (tmp_path / ".lease").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    monkeypatch.setattr(module, "MISSING_SECONDS", 1.0)
    second = Standby(make())
    assert second.waits.wait(5)
    assert second.holder == first._id
    assert not first.fenced()
    second.stop_requested = True


def test_wait_for_a_deleted_lease(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file is waited for: a holder may be about to create it again."""
    monkeypatch.setattr(module, "MISSING_SECONDS", 5.0)
    clock = Clock()
    first = Standby(make(clock))
    time.sleep(0.1)
    assert first.acquired is None
    clock.now = 5.0
    first.outcome()
    assert first.acquired
