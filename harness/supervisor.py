"""Run a command that cannot outlive the process which started it.

``python -m harness.supervisor COMMAND...`` forwards termination signals to the command. When the
supervisor's standard input closes, the supervisor ends the command: the starter holds the other end
of that pipe, and the operating system closes it however the starter ends, ``kill -9`` included.
SIGUSR1 pauses the command (SIGSTOP), SIGUSR2 resumes it; the supervisor itself keeps running.
SIGQUIT kills the command (SIGKILL).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

GRACE_SECONDS = 20.0
"""Seconds that a command may take to end after SIGTERM, before it is killed."""

LOOK_SECONDS = 0.05
"""Seconds between two checks whether a command is ready."""


def start(
    command: Sequence[str], log: IO[bytes], env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a supervised command and return its supervisor's process.

    The supervisor gets a session of its own: Ctrl-C reaches only the starter, which then ends its
    children in the right order.

    Parameters
    ----------
    command
        Command and its arguments.
    log
        Binary file for the output of the command.
    env
        Environment of the command; None for that of this process.
    """
    return subprocess.Popen(  # noqa: S603 - our own commands
        [sys.executable, "-m", "harness.supervisor", *command],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=env,
    )


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes] | None, seconds: float
) -> bool:
    """Wait until a supervised command is ready; return False if it ends before, or takes longer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process is not None and process.poll() is None:
        if ready():
            return True
        time.sleep(LOOK_SECONDS)
    return False


def stop(process: subprocess.Popen[bytes]) -> int:
    """End a supervised command, wait for it and return its exit code."""
    return _end(process, signal.SIGTERM)


def kill(process: subprocess.Popen[bytes]) -> int:
    """Kill a supervised command, wait for its end and return its exit code."""
    return _end(process, signal.SIGQUIT)


@contextmanager
def paused(process: subprocess.Popen[bytes] | None) -> Iterator[None]:
    """Suspend a supervised command, if there is one, until the ``with`` block ends."""
    if process is not None:
        process.send_signal(signal.SIGUSR1)
    try:
        yield
    finally:
        if process is not None:
            process.send_signal(signal.SIGUSR2)


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    process.send_signal(number)  # does nothing once the process has ended
    code = process.wait()
    if process.stdin:
        process.stdin.close()
    return code


def main(command: Sequence[str]) -> int:
    """Run a command until it ends, a signal arrives or standard input closes.

    Returns the exit code of the command.
    """
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own commands
    ending = threading.Event()

    def end(*_: object) -> None:
        if not ending.is_set():
            ending.set()
            child.terminate()
            threading.Thread(target=kill_later, daemon=True).start()

    def kill_later() -> None:
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()

    def watch_starter() -> None:
        os.read(
            sys.stdin.fileno(), 1
        )  # unbuffered: at exit, a blocked reader would hold the buffer's lock
        end()

    signal.signal(signal.SIGUSR1, lambda *_: child.send_signal(signal.SIGSTOP))
    signal.signal(signal.SIGUSR2, lambda *_: child.send_signal(signal.SIGCONT))
    signal.signal(signal.SIGQUIT, lambda *_: child.kill())
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    threading.Thread(target=watch_starter, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
