"""A consumer process, forked from a server with its imports done, that trials kill or stop."""

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkServerContext
from pathlib import Path

from chaos.trial import TrialError

POLL_SECONDS = 0.005

KILLED = -signal.SIGKILL

POINTS = (
    "snapshot",
    "checkpoint-draft",
    "checkpoint-written",
    "transaction-begun",
    "transaction-sent",
    "committed",
    "pruned",
)
"""Failpoints of a commit in their order."""

PRELOADED = ("chaos.preload",)

PROCESSES = threading.Lock()
"""Guards `multiprocessing`, which reaps all child processes when one is started or polled."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A signal that a process sends itself when it reaches a failpoint for the n-th time."""

    point: str
    nth: int
    sent_signal: signal.Signals = signal.SIGKILL


class ConsumerProcess:
    """A consumer process from its start to its end.

    Parameters
    ----------
    argv
        Command line of the consumer.
    environment
        Environment variables; those of the consumer's options are removed.
    log
        File for standard output and standard error.
    fault
        Fault that the process injects into itself, if any.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        fault: Fault | None = None,
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        self._process = _forks().Process(
            target=_run_consumer, args=(list(argv), dict(environment), log, fault), daemon=True
        )
        with PROCESSES:
            self._process.start()

    @property
    def text(self) -> str:
        """The log so far."""
        return self.log.read_text(errors="replace")

    def count(self, event: str) -> int:
        """Return how often the consumer has logged an event."""
        return sum(_event(line) == event for line in self.text.splitlines())

    def wait_for(self, event: str, times: int = 1, seconds: float = 60) -> bool:
        """Wait until the consumer has logged an event this often.

        Returns
        -------
        bool
            False if the process ended before that.

        Raises
        ------
        TrialError
            The time is over, and the process still runs.
        """
        deadline = time.monotonic() + seconds
        while self.count(event) < times:
            if self._exit_code() is not None:
                return self.count(event) >= times
            if time.monotonic() > deadline:
                raise TrialError(
                    f"{event!r} was not logged in {seconds:.0f} s; {self.log} ends with:"
                    f" {self.last_line}"
                )
            time.sleep(POLL_SECONDS)
        return True

    def wait(self, seconds: float = 120) -> int:
        """Wait for the end of the process; return the exit code, which is negative for a signal.

        Raises
        ------
        TrialError
            The process did not end in time.
        """
        deadline = time.monotonic() + seconds
        while (code := self._exit_code()) is None:
            if time.monotonic() > deadline:
                raise TrialError(
                    f"no end in {seconds:.0f} s; {self.log} ends with: {self.last_line}"
                )
            time.sleep(POLL_SECONDS)
        return code

    def wait_killed(self, seconds: float = 120) -> bool:
        """Wait for the end of the process; return whether SIGKILL ended it.

        Returns
        -------
        bool
            False if the process ended by itself with exit code 0.

        Raises
        ------
        TrialError
            The process ended with another exit code, which is no kill but a failure; or it did not
            end in time.
        """
        if (code := self.wait(seconds)) in {0, KILLED}:
            return code == KILLED
        raise TrialError(f"exit code {code}: {self.last_line} ({self.log})")

    def kill(self) -> bool:
        """Send SIGKILL and wait, as `wait_killed`."""
        self._process.kill()
        return self.wait_killed()

    def pause(self) -> None:
        """Stop the process with SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue the process with SIGCONT."""
        self._signal(signal.SIGCONT)

    @property
    def last_line(self) -> str:
        """The last line of the log."""
        lines = self.text.strip().splitlines()
        return lines[-1] if lines else ""

    def _exit_code(self) -> int | None:
        with PROCESSES:
            return self._process.exitcode

    def _signal(self, number: signal.Signals) -> None:
        if self._process.pid is not None and self._exit_code() is None:
            os.kill(self._process.pid, number)


def _forks() -> ForkServerContext:
    """Return a context whose processes are forked from a server that has done its imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _event(line: str) -> str:
    """Return the event of a line of structlog's console log, without time, level and fields."""
    words = line.partition("] ")[2].split()
    return " ".join(words[: next((n for n, word in enumerate(words) if "=" in word), len(words))])


def _run_consumer(
    argv: list[str], environment: dict[str, str], log: Path, fault: Fault | None
) -> None:
    """Run a consumer in the forked process."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    with log.open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    faulthandler.register(signal.SIGUSR1)  # SIGUSR1 prints the stack of a process that hangs
    os.environ.clear()
    os.environ.update({n: v for n, v in environment.items() if not n.startswith("CONSUMER_")})

    import structlog  # noqa: PLC0415 - in the fork only
    import torch  # noqa: PLC0415

    from consumer import __main__ as program  # noqa: PLC0415
    from newsreel.common import cli, logs  # noqa: PLC0415

    torch.set_num_threads(1)  # two threads are slower with so small a model
    logs.configure()
    passes = 0

    def failpoint(point: str) -> None:
        nonlocal passes
        if fault is not None and point == fault.point:
            passes += 1
            if passes == fault.nth:
                structlog.get_logger().info("fault", point=point)
                os.kill(os.getpid(), fault.sent_signal)

    sys.exit(cli.run("consumer", partial(program.learn, failpoint=failpoint), argv))


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
