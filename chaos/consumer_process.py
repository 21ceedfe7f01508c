"""One life of a consumer: a process that is forked with everything imported, and killed."""

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
"""What a commit goes through, in this order."""

PRELOADED = ("chaos.preload",)

PROCESSES = threading.Lock()
"""To start a process is to ask after all others, and only one may be told that another is over."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a life signals itself: when it reaches a point of a commit for the n-th time."""

    point: str
    nth: int
    sent: signal.Signals = signal.SIGKILL


class ConsumerProcess:
    """A consumer process from its start to its end.

    Parameters
    ----------
    argv
        The consumer's command line.
    environment
        Its variables, but those of the consumer's own options.
    log
        Where its output goes.
    fault
        Where it kills or stops itself, if anywhere.
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
            target=_live, args=(list(argv), dict(environment), log, fault), daemon=True
        )
        with PROCESSES:
            self._process.start()

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")

    def count(self, event: str) -> int:
        """How often it has logged an event."""
        return sum(_event(line) == event for line in self.text.splitlines())

    def wait_for(self, event: str, times: int = 1, seconds: float = 60) -> bool:
        """Wait until it has logged an event so often; False if it ended before that.

        Raises
        ------
        TrialError
            It did neither in time.
        """
        deadline = time.monotonic() + seconds
        while self.count(event) < times:
            if self._exit_code() is not None:
                return self.count(event) >= times
            if time.monotonic() > deadline:
                raise TrialError(
                    f"waited {seconds:.0f} s in vain for {event!r}; see {self.log}, which ends"
                    f" with: {self.last_line}"
                )
            time.sleep(POLL_SECONDS)
        return True

    def wait(self, seconds: float = 120) -> int:
        """Wait for its end; returns the exit code, which is negative for a signal.

        Raises
        ------
        TrialError
            It does not end.
        """
        deadline = time.monotonic() + seconds
        while (code := self._exit_code()) is None:
            if time.monotonic() > deadline:
                raise TrialError(
                    f"it does not end; see {self.log}, which ends with: {self.last_line}"
                )
            time.sleep(POLL_SECONDS)
        return code

    def kill(self) -> bool:
        """Kill it; False if it had ended by itself."""
        self._process.kill()
        return self.wait() == KILLED

    def pause(self) -> None:
        """Stop it as it stands."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @property
    def last_line(self) -> str:
        """The last line of its log."""
        lines = self.text.strip().splitlines()
        return lines[-1] if lines else ""

    def _exit_code(self) -> int | None:
        with PROCESSES:
            return self._process.exitcode

    def _signal(self, number: signal.Signals) -> None:
        if self._process.pid is not None and self._exit_code() is None:
            os.kill(self._process.pid, number)


def _forks() -> ForkServerContext:
    """Return a context that forks from a process which has imported much and done nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _event(line: str) -> str:
    """Return what a log line of structlog's console says, without level, time and fields."""
    words = line.partition("] ")[2].split()
    return " ".join(words[: next((n for n, word in enumerate(words) if "=" in word), len(words))])


def _live(argv: list[str], environment: dict[str, str], log: Path, fault: Fault | None) -> None:
    """Be a consumer; runs in the forked process."""
    threading.Thread(target=_die_with_the_harness, daemon=True).start()
    with log.open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    faulthandler.register(signal.SIGUSR1)  # for whoever asks why it does not go on
    os.environ.clear()
    os.environ.update({n: v for n, v in environment.items() if not n.startswith("CONSUMER_")})

    import structlog  # noqa: PLC0415 - in the fork only
    import torch  # noqa: PLC0415

    from consumer import __main__ as program  # noqa: PLC0415
    from newsreel.common import cli, logs  # noqa: PLC0415

    torch.set_num_threads(1)  # with a model so small, two would only wait for each other
    logs.configure()
    reached = 0

    def reach(point: str) -> None:
        nonlocal reached
        if fault is not None and point == fault.point:
            reached += 1
            if reached == fault.nth:
                structlog.get_logger().info("reached", point=point)
                os.kill(os.getpid(), fault.sent)

    sys.exit(cli.run("consumer", partial(program.learn, failpoint=reach), argv))


def _die_with_the_harness() -> None:
    harness = multiprocessing.parent_process()
    if harness is not None:
        harness.join()
        os._exit(1)
