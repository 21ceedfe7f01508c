"""Run newsreel's programs as processes with their default settings, and a broker for them."""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import machine
from harness.broker import find_kafka, program_environment
from newsreel.common import kafka
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection


class ProgramError(UserError):
    """A measured program failed."""


@contextmanager
def broker() -> Iterator[tuple[Connection, Path]]:
    """Provide a connection to a broker and a temporary folder until the block ends."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newsreel-")))
        yield stack.enter_context(find_kafka(folder / "kafka")), folder


def new_topic(connection: Connection, partitions: int = 1) -> str:
    """Create a topic with a unique name."""
    topic = f"throughput-{uuid.uuid4().hex[:8]}"
    with kafka.admin(connection) as admin:
        kafka.ensure(admin, topic, count=partitions)
    return topic


def run(
    module: str,
    *arguments: object,
    connection: Connection | None = None,
    threads: int | None = None,
) -> str:
    """Run a program to its end; return its log, which it writes to standard error.

    Parameters
    ----------
    threads
        Threads that the program computes with; None for its default.

    Raises
    ------
    ProgramError
        The program failed.
    """
    ended = subprocess.run(  # noqa: S603 - programs of this project
        _command(module, *arguments),
        env=_environment(connection, threads),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise _failed(module, ended.returncode, ended.stderr)
    return ended.stderr


@contextmanager
def started(
    module: str, *arguments: object, connection: Connection, threads: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends, then send it SIGTERM if it still runs.

    Parameters
    ----------
    threads
        Threads that the program computes with; None for its default.

    Raises
    ------
    ProgramError
        The program failed.
    """
    with tempfile.TemporaryFile("w+") as log:
        program = subprocess.Popen(  # noqa: S603 - programs of this project
            _command(module, *arguments), env=_environment(connection, threads), stderr=log
        )
        try:
            yield program
        finally:
            program.terminate()
            code = program.wait()
        if code:
            log.seek(0)
            raise _failed(module, code, log.read())


def _command(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def _environment(connection: Connection | None, threads: int | None) -> dict[str, str]:
    """Return the environment of a program, without variables that would change its defaults."""
    foreign = ("BENCHMARKS_", *machine.FOREIGN)
    inherited = dict(os.environ) if connection is None else program_environment(connection)
    selected = {name: v for name, v in inherited.items() if not name.startswith(foreign)}
    return selected | ({"OMP_NUM_THREADS": str(threads)} if threads else {})


def _failed(module: str, code: int, log: str) -> ProgramError:
    return ProgramError(f"python -m {module} ended with exit code {code}; its log:\n{log}")
