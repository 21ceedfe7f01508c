"""A trial: its equipment, its checks and its results."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from harness.apache import ApacheKafka
from harness.broker import EmbeddedKafka
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

RecordFormat = Literal["json", "json-registry"]


class TrialError(UserError):
    """A trial cannot continue; the message names the reason."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A row of the table of results.

    Attributes
    ----------
    trial
        Name of the trial.
    done, checked
        Descriptions of the faults and of the checks.
    found
        Failed checks, or other observations.
    passed
        Whether all checks passed; None for a skipped trial.
    seconds
        Duration of the trial.
    """

    trial: str
    done: str
    checked: str
    found: str
    passed: bool | None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Rig:
    """Equipment of a trial.

    Attributes
    ----------
    name
        Prefix of the names of topics.
    connection
        Connection to Kafka.
    broker
        The Kafka that the trials have started; None for one that they must not stop.
    folder
        Folder of logs and checkpoints.
    seed
        Seed of all random choices.
    format
        Format of the records in the trials that kill a consumer.
    """

    name: str
    connection: Connection
    broker: EmbeddedKafka | ApacheKafka | None
    folder: Path
    seed: int
    format: RecordFormat = "json"

    @property
    def cluster(self) -> ApacheKafka | None:
        """The cluster of several brokers, if the trials have started one."""
        if isinstance(self.broker, ApacheKafka) and len(self.broker.brokers) > 1:
            return self.broker
        return None

    def random(self, trial: str) -> Random:
        """Return a random generator that depends on the seed and this trial only."""
        return Random(f"{self.seed} {trial}")


Trial = Callable[[Rig], list[ResultRow]]


@dataclass
class Checks:
    """Checks made in a trial, and those that failed."""

    made: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def equal(self, what: str, found: object, expected: object) -> None:
        """Check that a value is as expected; a failure shows both."""
        self.holds(what, found == expected, f"{_short(found)}, expected {_short(expected)}")

    def holds(self, what: str, passed: bool, found: str = "false") -> None:  # noqa: FBT001 - a verdict
        """Record a check; only its first failure is shown."""
        if what not in self.made:
            self.made.append(what)
        if not passed and not any(failure.startswith(f"{what}: ") for failure in self.failed):
            self.failed.append(f"{what}: {found}")

    def row(self, trial: str, done: str, seconds: float, found: str = "as expected") -> ResultRow:
        """Return the row of the table; failed checks replace ``found``."""
        found = "; ".join(self.failed) or found
        return ResultRow(trial, done, ", ".join(self.made), found, not self.failed, seconds)


def skipped(trial: str, reason: str) -> list[ResultRow]:
    """Return the row of a skipped trial."""
    return [ResultRow(trial, "-", "-", f"skipped: {reason}", passed=None)]


NO_CLUSTER = "the trial injures the brokers of a cluster; start it with --kafka cluster"

FOREIGN_BROKER = "the trial stops the broker, and this one is not its own"


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait for a condition; return the seconds it took.

    Parameters
    ----------
    what
        The condition as a clause, for the error message.

    Raises
    ------
    TrialError
        The condition is false after the given seconds.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise TrialError(f"waited {seconds:.0f} s for this in vain: {what}")
        time.sleep(0.01)
    return time.monotonic() - started


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds since the start of the block."""
    started = time.monotonic()
    yield lambda: time.monotonic() - started


def _short(value: object, characters: int = 120) -> str:
    text = str(value)
    return text if len(text) <= characters else text[:characters] + "..."
