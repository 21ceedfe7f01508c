"""Composition root: a broker, the trials that are asked for, a table of what they found."""

import os
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from chaos import damaged_checkpoints, kills, malformed_records, network, outage, producer, standby
from chaos.settings import Settings
from chaos.table import table
from chaos.trial import Rig, Row, Trial, TrialError, stopwatch
from harness.broker import EmbeddedKafka, find_kafka
from newsreel.common import cli, logs
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

TOGETHER = 2
"""Trials at a time, of those that measure no time and leave the broker alone."""

FILE_WIDTH = 140
"""Characters of a line where the output is no terminal."""


class UnknownTrialError(UserError):
    """A trial is asked for that there is not."""


def trials(settings: Settings) -> tuple[dict[str, Trial], dict[str, Trial]]:
    """Give each trial its numbers; returns those that can be made together, and the others."""
    documents, half, few, least = (settings.documents // part // 16 * 16 for part in (1, 2, 4, 8))
    together: dict[str, Trial] = {
        "one-partition": lambda rig: kills.one_partition(rig, documents, settings.kills),
        "four-partitions": lambda rig: kills.four_partitions(
            rig, documents, max(1, settings.kills // 2)
        ),
        **{
            f"learner-{name}": partial(
                kills.learner, name=name, documents=least, kills=settings.kills_each
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
        "outage": lambda rig: outage.paused(rig, few, settings.outage),
        "restart": lambda rig: outage.restarted(rig, few),
    }
    return together, alone


def chaos(argv: Sequence[str]) -> None:
    """Make the trials; the exit code says whether all passed."""
    settings = cli.parse(Settings, argv)
    together, alone = trials(settings)
    chosen = _choose(together | alone, settings.only)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    rows: list[Row] = []
    name = f"chaos-{uuid.uuid4().hex[:8]}"
    folder = (settings.folder / name).absolute()
    with stopwatch() as seconds, ExitStack() as stack:
        connection, ours = stack.enter_context(_kafka(folder / "kafka"))
        console.print(f"Kafka is at {connection.bootstrap_servers}; logs are in {folder}/")
        rig = Rig(name, connection, ours, folder, settings.seed)

        def make(name: str) -> list[Row]:
            console.print(f"{seconds():4.0f} s: {name}")
            return _make(name, chosen[name], rig)

        with ThreadPoolExecutor(TOGETHER) as pool:
            for found in pool.map(make, [name for name in together if name in chosen]):
                rows += found
        for name in [name for name in alone if name in chosen]:
            rows += make(name)
        console.print(table(rows))
        console.print(f"{len(rows)} rows in {seconds():.0f} s")
    if any(row.passed is False for row in rows):
        sys.exit(1)


@contextmanager
def _kafka(folder: Path) -> Iterator[tuple[Connection, EmbeddedKafka | None]]:
    """Find the Kafka that the environment names, else start one, which may be stopped."""
    if "KAFKA_BOOTSTRAP_SERVERS" in os.environ:
        with find_kafka(folder) as connection:
            yield connection, None
        return
    with EmbeddedKafka(folder) as broker:
        yield Connection(broker.bootstrap_servers), broker


def _make(name: str, trial: Trial, rig: Rig) -> list[Row]:
    with stopwatch() as seconds:
        try:
            return trial(rig)
        except TrialError as error:
            return [Row(name, "-", "that it goes on", str(error), passed=False, seconds=seconds())]


def _choose(all_: Mapping[str, Trial], only: str | None) -> dict[str, Trial]:
    if only is None:
        return dict(all_)
    asked = only.split(",")
    unknown = [name for name in asked if not any(trial.startswith(name) for trial in all_)]
    if unknown:
        raise UnknownTrialError(
            f"no trial is called {', '.join(unknown)}; choose some of {', '.join(all_)}"
        )
    return {name: make for name, make in all_.items() if name.startswith(tuple(asked))}


def main() -> int:
    """Run what the command line asks for."""
    logs.configure()
    return cli.run("chaos", chaos, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
