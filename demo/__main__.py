"""The demo: runs the broker, the producer and the consumer as processes, as a user would."""

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from demo import report
from demo.screen import Screen
from demo.settings import Settings
from harness import supervisor
from harness.broker import find_kafka, free_port, program_environment
from newsreel.common import cli, kafka, logs
from newsreel.common.errors import UserError
from newsreel.events.topics import Names

IDLE_SECONDS = 60

REFRESH_SECONDS = 0.5

LOG_LINES = 15

SUMMARY, PLOT = "summary.json", "accuracy.png"

STATE = ".demo"
"""Folder of the data of the broker and the consumer; its name must not be one of the user's."""


class DemoError(UserError):
    """A process of the demo failed, or its folder can't be written."""


def demo(argv: Sequence[str]) -> None:
    """Run broker, producer and consumer, and print the report.

    Parameters
    ----------
    argv
        Command-line arguments.
    """
    settings = cli.parse(Settings, argv)
    console = Console(highlight=False)
    folder = settings.folder
    _clear(folder)
    with ExitStack() as stack:
        connection = stack.enter_context(find_kafka(folder / STATE / "kafka"))
        console.print(f"Kafka is at {connection.bootstrap_servers}; logs are in {folder}/")
        # Each run has its own topic: a broker that outlives the demo must not mix two runs.
        topic = f"demo-{uuid.uuid4().hex[:8]}"
        with kafka.admin(connection) as admin:
            kafka.ensure(admin, topic, count=1)
        environment = program_environment(connection)
        environment.pop("CONSUMER_HTTP_TOKEN", None)  # this process sends no token
        environment.pop("CONSUMER_HTTP_TOKEN_FILE", None)
        start = partial(_start, folder=folder, environment=environment, stack=stack)
        source = ["--corpus", settings.corpus, "--seed", str(settings.seed)]

        console.print(f"publishing {settings.heldout:,} held-out documents")
        heldout = start("heldout", "producer", *source, *_heldout_options(settings, topic))
        _finish(heldout, "heldout", folder)
        console.print(f"streaming {settings.documents:,} documents to learn from")
        producer = start("producer", "producer", *source, *_stream_options(settings, topic))
        port = free_port()
        consumer = start("consumer", "consumer", *_consumer_options(settings, topic, port))
        with Screen(console, settings.documents, f"http://127.0.0.1:{port}") as screen:
            while consumer.poll() is None:
                if producer.poll():
                    _finish(producer, "producer", folder)
                if progress := _progress(port):
                    screen.show(progress)
                time.sleep(REFRESH_SECONDS)
        _finish(consumer, "consumer", folder)
    summary = json.loads((folder / SUMMARY).read_text())
    report.plot(summary, folder / PLOT)
    console.print(report.table(summary))
    console.print(f"results: {folder / SUMMARY} and {folder / PLOT}")


def _heldout_options(settings: Settings, topic: str) -> list[str]:
    return [
        *("--topic", Names.of(topic).heldout, "--split", "test"),
        *("--limit", str(settings.heldout)),
    ]


def _stream_options(settings: Settings, topic: str) -> list[str]:
    rate = [] if settings.rate is None else ["--rate", str(settings.rate)]
    return ["--topic", topic, "--split", "train", "--limit", str(settings.documents), *rate]


def _consumer_options(settings: Settings, topic: str, port: int) -> list[str]:
    return [
        *("--topic", topic, "--group", topic, "--seed", str(settings.seed)),
        *("--checkpoint-dir", str(settings.folder / STATE / "checkpoints")),
        *("--summary", str(settings.folder / SUMMARY), "--http-port", str(port)),
        *("--stop-after", str(settings.documents), "--stop-when-idle", str(IDLE_SECONDS)),
    ]


def _start(
    name: str,
    module: str,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str],
    stack: ExitStack,
) -> subprocess.Popen[bytes]:
    """Start a newsreel program with its output in a log file; the stack ends the program."""
    log = stack.enter_context((folder / f"{name}.log").open("wb"))
    process = supervisor.start([sys.executable, "-m", module, *arguments], log, environment)
    stack.callback(supervisor.stop, process)
    return process


def _finish(process: subprocess.Popen[bytes], name: str, folder: Path) -> None:
    """Wait for a process to end.

    Raises
    ------
    DemoError
        The process failed; the message shows the end of its log.
    """
    if code := process.wait():
        lines = (folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        raise DemoError(
            f"the {name} ended with exit code {code}; {folder}/{name}.log ends with:\n"
            + "\n".join(lines[-LOG_LINES:])
        )


def _progress(port: int) -> dict[str, Any] | None:
    """Request the consumer's progress; returns None while the consumer is starting or ending."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/progress", timeout=5) as answer:
            progress: dict[str, Any] = json.load(answer)
    except (OSError, ValueError):
        return None
    return progress


def _clear(folder: Path) -> None:
    """Delete the files of an earlier demo, and no others.

    Raises
    ------
    DemoError
        The folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / STATE, ignore_errors=True)
        for name in (SUMMARY, PLOT):
            (folder / name).unlink(missing_ok=True)
        (folder / "producer.log").touch()
    except OSError as error:
        raise DemoError(
            f"can't write to {str(folder)!r} ({error.strerror}); name another with --folder"
        ) from error


def main() -> int:
    """Run the demo; returns the exit code. On SIGTERM, its processes end first, in order."""
    logs.configure()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return cli.run("demo", demo, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
