"""One learns, the others stand by; the one that learns may end in any way."""

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

PATIENCE_SECONDS = 60.0


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


Make = Callable[..., Lease]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make consumers of one folder, which end with the test."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(module, "MISSING_SECONDS", 0.0)
    made: list[Lease] = []

    def call(clock: Callable[[], float] | None = None) -> Lease:
        made.append(Lease(tmp_path, PATIENCE_SECONDS, clock or Clock()))
        return made[-1]

    yield call
    for one in made:
        if not one._own.closed:
            one.release()


class Standby:
    """Tries to acquire a lease, in a thread."""

    def __init__(self, lease: Lease) -> None:
        self.waits = threading.Event()
        self.holder: str | None = None
        self.told_to_stop = False
        self.acquired: bool | None = None
        self._thread = threading.Thread(target=self._acquire, args=[lease], daemon=True)
        self._thread.start()

    def _acquire(self, lease: Lease) -> None:
        self.acquired = lease.acquire(lambda: self.told_to_stop, self._waiting)

    def _waiting(self, holder: str) -> None:
        assert self.holder is None, "told twice"
        self.holder = holder
        self.waits.set()

    def outcome(self) -> bool | None:
        self._thread.join(5)
        return self.acquired


def acquired(lease: Lease) -> bool:
    return lease.acquire(lambda: False, lambda _: pytest.fail("it waits"))


def silence(lease: Lease) -> None:
    """Stop a holder as SIGSTOP would: it stays locked and does not beat."""
    lease._ended.set()
    lease._thread.join()


def test_the_first_one_learns(make: Make) -> None:
    """Where nobody holds the lease, nobody is waited for."""
    first = make()
    assert acquired(first)
    assert not first.fenced()


def test_released(make: Make) -> None:
    """The next one takes over when the lease is given back; nobody is named any more."""
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


def test_taken_over_from_by_one_that_has_ended(make: Make) -> None:
    """A holder that slept over its successor's whole life has lost the lease, too."""
    clock = Clock()
    sleeper, successor = make(), make(clock)
    assert acquired(sleeper)
    silence(sleeper)
    standby = Standby(successor)
    assert standby.waits.wait(5)
    clock.now += PATIENCE_SECONDS + 1
    assert standby.outcome()
    successor.release()
    assert sleeper.fenced()


def test_a_holder_that_beats_is_waited_for(make: Make) -> None:
    """As long as it shows signs of life, the clock may run."""
    clock = Clock()
    first, second = make(), make(clock)
    assert acquired(first)
    standby = Standby(second)
    assert standby.waits.wait(5)
    for _ in range(5):
        clock.now += PATIENCE_SECONDS / 2
        time.sleep(0.15)
    assert standby.acquired is None
    assert not first.fenced()


def test_a_silent_holder_is_replaced(make: Make) -> None:
    """One that is stopped loses the lease after so much silence, not before, and gets to know."""
    clock = Clock()
    first, second = make(), make(clock)
    assert acquired(first)
    silence(first)
    standby = Standby(second)
    assert standby.waits.wait(5)
    time.sleep(0.1)
    clock.now += PATIENCE_SECONDS
    time.sleep(0.1)
    assert standby.acquired is None
    clock.now += 0.1
    assert standby.outcome()
    assert first.fenced()
    assert not second.fenced()
    first.release()
    time.sleep(0.03)  # an answer holds for a moment
    assert not second.fenced()


def test_each_holder_has_its_own_patience(make: Make) -> None:
    """Silence of one holder does not count against the one that takes over from it."""
    clock = Clock()
    first, second, third = make(), make(clock), make(clock)
    assert acquired(first)
    silence(first)
    first._own.truncate(0)  # so long as the next one's, when it begins
    waiting = Standby(third)
    assert waiting.waits.wait(5)
    clock.now += PATIENCE_SECONDS / 2
    second._beat = lambda: None  # type: ignore[method-assign]
    second._thread = threading.Thread(target=second._beat)
    assert second._take()
    time.sleep(0.1)
    clock.now += PATIENCE_SECONDS - 0.1
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


def test_a_holder_that_dies_is_replaced_at_once(make: Make, tmp_path: Path) -> None:
    """However a process ends: no patience is needed for one that is gone."""
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


def test_a_standby_can_be_stopped(make: Make) -> None:
    """One that is told to end before it is its turn leaves the holder alone."""
    first, second = make(), make()
    assert acquired(first)
    standby = Standby(second)
    assert standby.waits.wait(5)
    standby.told_to_stop = True
    assert standby.outcome() is False
    second.release()
    assert not first.fenced()


@pytest.mark.parametrize("vacant", ["never held", "dead", "silent"])
def test_of_several_one_learns(make: Make, vacant: str) -> None:
    """Whoever else believed for a moment to hold the lease finds that it has lost it."""
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
    clock.now += PATIENCE_SECONDS + 1
    time.sleep(0.5)
    holding = [
        rival
        for rival, one in zip(rivals, standbys, strict=True)
        if one.acquired and not rival.fenced()
    ]
    assert len(holding) == 1
    for one in standbys:
        one.told_to_stop = True
        one.outcome()


def test_a_full_disk_does_not_end_the_beat(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat that can't be written is made up for by the next one."""
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


def test_a_deleted_folder_is_claimed_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder whose folder is gone has lost it to nobody, and names itself there again."""
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
    second.told_to_stop = True


def test_it_waits_for_a_holder_to_come_back(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody is named, one might do so in a moment."""
    monkeypatch.setattr(module, "MISSING_SECONDS", 5.0)
    clock = Clock()
    first = Standby(make(clock))
    time.sleep(0.1)
    assert first.acquired is None
    clock.now = 5.0
    first.outcome()
    assert first.acquired
