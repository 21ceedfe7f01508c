"""A trial: what it works with, and what it found."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from harness.broker import EmbeddedKafka
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection


class TrialError(UserError):
    """A trial could not go on; the message says what was waited for."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what was done, what had to hold, and what was found instead, if it did.

    ``passed`` is None where a trial could not be made; ``found`` then says why.
    """

    trial: str
    done: str
    checked: str
    found: str
    passed: bool | None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Rig:
    """What a trial works with.

    ``broker`` is None where Kafka is somebody else's, who would not like it stopped. ``name``
    begins the names of topics, ``seed`` is of everything random.
    """

    name: str
    connection: Connection
    broker: EmbeddedKafka | None
    folder: Path
    seed: int

    def random(self, trial: str) -> Random:
        """Return a generator of the trial's own: others, left out or not, don't change it."""
        return Random(f"{self.seed} {trial}")


Trial = Callable[[Rig], list[Row]]


@dataclass
class Checks:
    """What had to hold in a trial, and what did not."""

    made: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def equal(self, what: str, found: object, expected: object) -> None:
        """Note whether something is as expected; both are shown if not."""
        self.holds(what, found == expected, f"{_short(found)}, expected {_short(expected)}")

    def holds(self, what: str, so: bool, found: str = "not so") -> None:  # noqa: FBT001 - a verdict
        """Note whether something holds; the first time that it does not is told."""
        if what not in self.made:
            self.made.append(what)
        if not so and not any(failure.startswith(f"{what}: ") for failure in self.failed):
            self.failed.append(f"{what}: {found}")

    def row(self, trial: str, done: str, seconds: float, found: str = "all so") -> Row:
        """Return the line of the table; what did not hold takes the place of ``found``."""
        shown = "; ".join(self.failed) or found
        return Row(trial, done, ", ".join(self.made), shown, not self.failed, seconds)


def skipped(trial: str, why: str) -> list[Row]:
    """Return the row of a trial that could not be made."""
    return [Row(trial, "-", "-", f"skipped: {why}", passed=None)]


NOT_OURS = "it stops the broker, and this one is not the harness's own"


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait for something; returns how many seconds it took.

    Raises
    ------
    TrialError
        In vain.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise TrialError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(0.01)
    return time.monotonic() - started


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Give a function that says how many seconds have passed."""
    started = time.monotonic()
    yield lambda: time.monotonic() - started


def _short(value: object, characters: int = 120) -> str:
    shown = str(value)
    return shown if len(shown) <= characters else shown[:characters] + "..."
