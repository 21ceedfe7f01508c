"""newsreel's programs as processes with nothing but their defaults, and a broker for them."""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import machine
from demo.broker import EmbeddedKafka
from service import kafka
from service.errors import UserError


class ProgramError(UserError):
    """A program that is measured failed."""


@contextmanager
def broker() -> Iterator[tuple[str, Path]]:
    """Give the address of a broker and a folder for files, both only for a while."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newsreel-")))
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if servers is None:
            servers = stack.enter_context(EmbeddedKafka(folder / "kafka")).bootstrap_servers
        yield servers, folder


def new_topic(servers: str) -> str:
    """Create a topic of one partition that nobody else uses."""
    topic = f"throughput-{uuid.uuid4().hex[:8]}"
    with kafka.admin(servers) as admin:
        kafka.ensure(admin, topic, count=1)
    return topic


def run(module: str, *arguments: object, servers: str | None = None) -> str:
    """Run a program to its end; returns what it wrote on standard error, its log.

    Raises
    ------
    ProgramError
        It failed.
    """
    foreign = ("BENCHMARKS_", *machine.FOREIGN)
    environment = {name: v for name, v in os.environ.items() if not name.startswith(foreign)}
    if servers is not None:
        environment["KAFKA_BOOTSTRAP_SERVERS"] = servers
    command = [sys.executable, "-m", module, *map(str, arguments)]
    ended = subprocess.run(  # noqa: S603 - our own commands
        command, env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    if ended.returncode:
        raise ProgramError(
            f"python -m {module} ended with exit code {ended.returncode}; it said:\n{ended.stderr}"
        )
    return ended.stderr
