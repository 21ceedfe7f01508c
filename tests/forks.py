"""Start newsreel's programs by forking a process that has imported their libraries.

``python -m consumer`` spends seconds on importing torch and transformers. A test which needs a
process of its own, but not the start of the interpreter, forks it from a server that has imported
them once: the command line, the environment, signals and the exit code are those of the program.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PRELOADED = (
    "pytest",  # imported again in each process that is forked from `python -m pytest`
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "benchmarks.__main__",
    "consumer.evaluate",
    "consumer.learn",
    "producer.__main__",
)
"""Modules that the server imports; none of them starts a thread."""


class Fork:
    """A program in a forked process, with the methods of `subprocess.Popen`.

    Parameters
    ----------
    module
        Name of the program, as after ``python -m``.
    arguments
        Words of its command line.
    environment
        Environment variables of the process.
    stdout, stderr
        Files that receive the output.
    """

    def __init__(
        self,
        module: str,
        *arguments: object,
        environment: Mapping[str, str],
        stdout: Path,
        stderr: Path,
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOADED))
        argv = [module, *map(str, arguments)]
        self._process = context.Process(
            target=_run, args=(argv, dict(environment), str(stdout), str(stderr))
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code, negative after a signal; None while the process runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, negative after a signal; None while the process runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit code.

        Raises
        ------
        subprocess.TimeoutExpired
            The process still runs after ``timeout`` seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)


class ForkingSubprocess:
    """Stand in for the module `subprocess` where it starts ``python -m MODULE``.

    Parameters
    ----------
    folder
        Folder for the output of programs.
    """

    PIPE = subprocess.PIPE

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(
        self, command: Sequence[str], *, env: Mapping[str, str], **_: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        process, errors = self._fork(command, env)
        return subprocess.CompletedProcess(command, process.wait(), "", errors.read_text())

    def Popen(self, command: Sequence[str], *, env: Mapping[str, str], **_: object) -> Fork:  # noqa: N802
        """Start a program."""
        return self._fork(command, env)[0]

    def _fork(self, command: Sequence[str], env: Mapping[str, str]) -> tuple[Fork, Path]:
        _python, _dash_m, module, *arguments = command
        output = self._folder / f"{module}-{uuid.uuid4().hex[:8]}.out"
        errors = output.with_suffix(".err")
        process = Fork(module, *arguments, environment=env, stdout=output, stderr=errors)
        return process, errors


def _use_all_cores() -> None:
    """Keep the usual priority: while tests use all cores, no spare core is left."""


def _run(argv: list[str], environment: dict[str, str], stdout: str, stderr: str) -> None:
    """Run ``python -m MODULE`` in the forked process."""
    for path, descriptor in ((stdout, 1), (stderr, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores it
    from consumer.checkpoints import lease  # noqa: PLC0415 - imported by the server
    from consumer.features import hardware  # noqa: PLC0415

    hardware.run_when_idle = _use_all_cores
    lease.MISSING_SECONDS = 0.0  # no other consumer uses the folder of a test
    sys.argv = argv
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
