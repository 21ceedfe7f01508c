"""Run fault trials on a broker and print a table of their results."""

import os
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from chaos import (
    brokers,
    damaged_checkpoints,
    kills,
    malformed_records,
    network,
    outage,
    producer,
    rolling_restart,
    standby,
)
from chaos.settings import Settings
from chaos.table import table
from chaos.trial import ResultRow, Rig, Trial, TrialError, stopwatch
from harness import kinds
from harness.apache import ApacheKafka
from harness.broker import EmbeddedKafka, find_kafka
from harness.kinds import Kind
from newsreel.common import cli, logs
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

PARALLEL = 2
"""Number of trials at a time, of those that measure no time and do not stop the broker."""

FILE_WIDTH = 140
"""Characters of a line when the output is not a terminal."""


class UnknownTrialError(UserError):
    """No trial has this name."""


def trials(settings: Settings) -> tuple[dict[str, Trial], dict[str, Trial]]:
    """Return the trials by name: those that can run in parallel, and those that must run alone."""
    documents, half, quarter, eighth = (
        settings.documents // part // 16 * 16 for part in (1, 2, 4, 8)
    )
    parallel: dict[str, Trial] = {
        "one-partition": lambda rig: kills.one_partition(rig, documents, settings.kills),
        "four-partitions": lambda rig: kills.four_partitions(
            rig, documents, max(1, settings.kills // 2)
        ),
        **{
            f"learner-{name}": partial(
                kills.learner, name=name, documents=eighth, kills=settings.kills_each
            )
            for name in kills.LEARNERS
        },
        "producer": lambda rig: producer.killed(rig, half),
        "network": lambda rig: network.faults(rig, half),
        "malformed": lambda rig: malformed_records.malformed(rig, settings.malformed),
        "fallback": damaged_checkpoints.fallback,
        "fuzz": lambda rig: damaged_checkpoints.fuzz(rig, settings.mutations),
    }
    alone: dict[str, Trial] = {
        "standby": lambda rig: standby.takeovers(rig, documents, settings.takeovers),
        "zombie": lambda rig: standby.zombie(rig, half),
        "outage": lambda rig: outage.paused(rig, quarter, settings.outage),
        "restart": lambda rig: outage.restarted(rig, quarter),
        "brokers": lambda rig: brokers.injured(rig, documents, settings.kills),
        "rolling-restart": rolling_restart.restarted,
    }
    return parallel, alone


def chaos(argv: Sequence[str]) -> None:
    """Run the trials; exit with code 1 unless all passed."""
    settings = cli.parse(Settings, argv)
    parallel, alone = trials(settings)
    chosen = _choose(parallel | alone, settings.only)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    rows: list[ResultRow] = []
    name = f"chaos-{uuid.uuid4().hex[:8]}"
    folder = (settings.folder / name).absolute()
    with stopwatch() as seconds, ExitStack() as stack:
        connection, broker = stack.enter_context(_kafka(settings.kafka, folder / "kafka"))
        console.print(f"Kafka is at {connection.bootstrap_servers}; logs are in {folder}/")
        rig = Rig(name, connection, broker, folder, settings.seed, settings.format)

        def run(name: str) -> list[ResultRow]:
            console.print(f"{seconds():4.0f} s: {name}")
            return _run(name, chosen[name], rig)

        with ThreadPoolExecutor(PARALLEL) as pool:
            for results in pool.map(run, [name for name in parallel if name in chosen]):
                rows += results
        for name in [name for name in alone if name in chosen]:
            rows += run(name)
        console.print(table(rows))
        console.print(f"{len(rows)} rows in {seconds():.0f} s")
    if any(row.passed is False for row in rows):
        sys.exit(1)


@contextmanager
def _kafka(
    kind: Kind | None, folder: Path
) -> Iterator[tuple[Connection, EmbeddedKafka | ApacheKafka | None]]:
    """Start a Kafka that trials may stop, or connect to the one that the environment names."""
    if kind is None and "KAFKA_BOOTSTRAP_SERVERS" in os.environ:
        with find_kafka(folder) as connection:
            yield connection, None
        return
    with kinds.build(kind or "embedded", folder) as broker:
        yield Connection(broker.bootstrap_servers), broker


def _run(name: str, trial: Trial, rig: Rig) -> list[ResultRow]:
    with stopwatch() as seconds:
        try:
            return trial(rig)
        except TrialError as error:
            return [ResultRow(name, "-", "no error", str(error), passed=False, seconds=seconds())]


def _choose(known: Mapping[str, Trial], only: str | None) -> dict[str, Trial]:
    """Return the trials whose names begin with one of the comma-separated prefixes.

    Raises
    ------
    UnknownTrialError
        A prefix matches no trial.
    """
    if only is None:
        return dict(known)
    prefixes = only.split(",")
    unknown = [prefix for prefix in prefixes if not any(name.startswith(prefix) for name in known)]
    if unknown:
        raise UnknownTrialError(
            f"no trial is called {', '.join(unknown)}; choose some of {', '.join(known)}"
        )
    return {name: trial for name, trial in known.items() if name.startswith(tuple(prefixes))}


def main() -> int:
    """Run the command line and return the exit code."""
    logs.configure()
    return cli.run("chaos", chaos, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
