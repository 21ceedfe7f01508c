"""A lease in a folder that machines share: nobody takes over from a healthy holder.

No network file system is mounted for these tests: what NFS, SMB and FUSE do is put in place of the
system's functions.
"""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.checkpoints import lease as module
from consumer.checkpoints import mounts
from consumer.checkpoints.lease import SHARED_TAKEOVER_SECONDS, TAKEOVER_SECONDS, Lease

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:45 / /mnt rw,relatime shared:2 master:7 - nfs4 server:/export rw,vers=4.2,local_lock=none
41 40 0:46 / /mnt/local\\040disk rw - xfs /dev/sdb rw
42 22 0:47 / /media/share rw - cifs //server/share rw,nobrl
43 22 0:48 / /buckets rw,nosuid - fuse.s3fs s3fs rw
44 22 0:49 / /overlay rw - fuse.fuse-overlayfs none rw
45 22 8:1 / /windows rw - fuseblk /dev/sda1 rw
46 22 8:2 / /twice rw - nfs server:/a rw
47 22 8:3 / /twice rw - ext4 /dev/sdc rw
"""


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what sets the table of mounts."""
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(mounts, "MOUNTS", table)
    return lambda text: (table.write_text(text), None)[1]


@pytest.mark.parametrize(
    ("folder", "kind", "shared"),
    [
        ("/var/checkpoints", "ext4", False),
        ("/mnt/checkpoints", "nfs4", True),
        ("/mnt", "nfs4", True),
        ("/mntx", "ext4", False),
        ("/mnt/local disk/checkpoints", "xfs", False),
        ("/media/share/a/b", "cifs", True),
        ("/buckets/a", "fuse.s3fs", True),
        ("/overlay/a", "fuse.fuse-overlayfs", False),
        ("/windows/a", "fuseblk", False),
        ("/twice/a", "ext4", False),
    ],
)
def test_types(mounted: Callable[[str], None], folder: str, kind: str, shared: bool) -> None:  # noqa: FBT001
    """The type of a folder's file system tells whether machines share the folder."""
    mounted(MOUNTINFO)
    assert mounts.file_system(Path(folder)) == kind
    assert mounts.is_shared(Path(folder)) == shared


def test_no_table(mounted: Callable[[str], None], tmp_path: Path) -> None:
    """Without a table of mounts, as on other systems, a folder counts as local."""
    assert mounted
    assert not mounts.is_shared(tmp_path)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Pair:
    """A holder, and a standby on a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.holder, self.standby = Lease(folder), Lease(folder, clock=self.clock)
        assert self.holder.acquire(lambda: False, lambda _: None)
        self.acquired: bool | None = None
        self._stopping, self._waits = False, threading.Event()
        self._looks = 0
        self._thread = threading.Thread(target=self._acquire, daemon=True)

    def _acquire(self) -> None:
        self.acquired = self.standby.acquire(self._looked, lambda _: self._waits.set())

    def _looked(self) -> bool:
        self._looks += 1
        return self._stopping

    def _let_look(self) -> None:
        """Wait until the standby has looked at the lease, or has taken it."""
        enough = self._looks + 2
        while self._looks < enough and self._thread.is_alive():
            time.sleep(0.01)

    def wait(self) -> None:
        """Let the standby wait for the holder."""
        self._thread.start()
        self._waits.wait(0.3)

    def silence(self) -> None:
        """Stop the holder: it gives no sign of life, and its file is no longer locked."""
        self.holder._ended.set()
        self.holder._thread.join()
        with suppress(OSError):
            fcntl.flock(self.holder._own, fcntl.LOCK_UN)
        self._let_look()  # else the last sign of life would be seen after the clock has moved

    def after(self, seconds: float) -> bool | None:
        """Return whether the standby has taken over after some seconds."""
        self.clock.now += seconds
        self._let_look()
        return self.acquired

    def close(self) -> None:
        self._stopping = True
        if self._thread.is_alive():
            self._thread.join()
        self.standby.release()
        self.holder.release()


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Pair]]:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(module, "MISSING_SECONDS", 0.0)
    pairs: list[Pair] = []

    def call() -> Pair:
        folder = tmp_path / "checkpoints"
        folder.mkdir(exist_ok=True)
        pairs.append(Pair(folder))
        return pairs[-1]

    yield call
    monkeypatch.undo()
    for each in pairs:
        each.close()


def nfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the folder on NFS: flock needs a descriptor that is open for writing."""
    monkeypatch.setattr(mounts, "is_shared", lambda _: True)
    flock = fcntl.flock

    def emulated(file: Any, operation: int) -> None:
        mode = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if operation & fcntl.LOCK_EX and mode == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", emulated)


def from_other_machines(pair: Pair) -> None:
    """Let the file of the holder be written by another machine."""
    os.pwrite(pair.holder._own.fileno(), b"another-machine".ljust(36), 20)


def test_lock_of_this_machine(pair: Callable[[], Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """On NFS, a holder of the same machine that has ended is replaced without patience."""
    nfs(monkeypatch)
    both = pair()
    both.wait()
    assert both.after(0.0) is None
    both.silence()
    assert both.after(0.1) is True


def test_locks_that_each_machine_keeps(
    pair: Callable[[], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A free lock of another machine's holder proves nothing; its silence does, after a minute."""
    nfs(monkeypatch)
    both = pair()
    from_other_machines(both)
    fcntl.flock(both.holder._own, fcntl.LOCK_UN)  # as the standby's machine sees the lock
    both.wait()
    for _ in range(3):
        assert both.after(TAKEOVER_SECONDS + 1) is None
    both.silence()
    assert both.after(SHARED_TAKEOVER_SECONDS - 1) is None
    assert both.after(2) is True


def test_signs_of_life_seen_late(pair: Callable[[], Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """A standby that sees another machine's writes a minute late does not take over."""
    nfs(monkeypatch)
    both = pair()
    from_other_machines(both)
    seen = Path.read_bytes
    cache: dict[Path, tuple[float, bytes]] = {}

    def late(path: Path) -> bytes:
        at, found = cache.get(path, (-1e9, b""))
        if both.clock.now - at >= 60:
            at, found = cache[path] = both.clock.now, seen(path)
        return found

    monkeypatch.setattr(Path, "read_bytes", late)
    both.wait()
    for _ in range(20):
        assert both.after(10) is None
    assert not both.holder.fenced()


def test_signs_of_life_reach_the_server(
    pair: Callable[[], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a shared file system each sign of life is written through; on a local disk it is not."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    both = pair()
    time.sleep(0.1)
    assert synced == []
    both.close()
    monkeypatch.setattr(mounts, "is_shared", lambda _: True)
    both = pair()
    time.sleep(0.1)
    assert synced


@pytest.mark.parametrize("lies", ["always granted", "never granted", "no locks"])
def test_locks_that_do_not_exclude(
    pair: Callable[[], Pair], monkeypatch: pytest.MonkeyPatch, lies: str
) -> None:
    """Where a lock does not exclude a second one, only the signs of life count; the log says so."""

    def flock(*_: Any) -> None:
        if lies == "never granted":
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if lies == "no locks":
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with capture_logs() as log:
        both = pair()
    assert [line["seconds"] for line in log] == [TAKEOVER_SECONDS] * 2
    both.wait()
    for _ in range(3):
        assert both.after(TAKEOVER_SECONDS - 1) is None
    both.silence()
    both.after(0.0)
    assert both.after(TAKEOVER_SECONDS + 1) is True


def test_server_that_does_not_answer(
    pair: Callable[[], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the lease can't be read, nobody takes over or is fenced; the log says so once."""
    nfs(monkeypatch)
    both = pair()
    read = Path.read_text
    away = True

    def stale(path: Path, *arguments: Any, **named: Any) -> str:
        if away and path.name == module.LEASE:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return read(path, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", stale)
    with capture_logs() as log:
        both.wait()
        assert both.after(1000) is None
    assert [line["error"] for line in log] == [os.strerror(errno.ESTALE)]
    both.holder._checked = -1e9
    assert not both.holder.fenced()
    away = False
    assert both.after(SHARED_TAKEOVER_SECONDS / 2) is None


def test_holder_of_an_older_version(
    pair: Callable[[], Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder that names no machine is replaced on NFS after its silence only."""
    nfs(monkeypatch)
    both = pair()
    both.holder._own.truncate(20)
    both.silence()
    both.wait()
    assert both.after(SHARED_TAKEOVER_SECONDS - 1) is None
    both.after(0.0)
    assert both.after(2) is True
