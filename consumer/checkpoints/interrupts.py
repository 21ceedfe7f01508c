"""Stop the writing of checkpoints: after a takeover, after a deadline, or by an injected fault."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Callables that are checked before a checkpoint is written or committed; none of them waits.

    The defaults never interrupt.
    """

    fenced: Callable[[], bool] = lambda: False
    """Return whether another consumer holds the lease: then nothing may be written or deleted."""

    stopping: Callable[[], bool] = lambda: False
    """Return whether a stop signal has come: then no more documents are read."""

    overdue: Callable[[], bool] = lambda: False
    """Return whether the grace period after a stop signal is over: then nothing is waited for."""

    failpoint: Callable[[str], None] = lambda _: None
    """Pass a named point, such as "checkpoint-draft", at which a test may inject a fault."""


UNINTERRUPTED = Interrupts()
"""Never fenced, never overdue, and without faults."""
