"""Say what the first learning step waits for: a quiet topic is otherwise taken for a fault."""

import time
from collections.abc import Callable

import structlog

from consumer.loop.step import Step

QUIET_SECONDS = 30.0
"""Seconds without a document or a label after which the log says what is missing."""

log = structlog.get_logger()


class FirstStep:
    """Says what the first learning step waits for.

    Parameters
    ----------
    clock
        Seconds that only go forward.

    Attributes
    ----------
    missing
        What the first learning step waits for; None once it was taken, and before a step is seen.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed: float | None = None
        self._logged = False
        self.missing: str | None = None

    def observe(self, step: Step, documents: int, steps: int) -> None:
        """Follow a run; write to the log, once, when the stream is quiet before the first step.

        Parameters
        ----------
        step
            Last step of the loop.
        documents, steps
            Documents and learning steps since the stream began.
        """
        missing = None if steps else _missing(step, documents)
        now = self._clock()
        if missing != self.missing or self._changed is None:
            self._changed = now
        self.missing = missing
        if missing is not None and not self._logged and now >= self._changed + QUIET_SECONDS:
            self._logged = True
            log.info("nothing is learned yet", waiting_for=missing)


def _missing(step: Step, documents: int) -> str:
    """Describe what the first learning step waits for."""
    if not documents:
        return "the first document"
    if not step.labels:
        return f"the first label (documents so far: {documents})"
    kind = "documents" if step.repredicted is None else "labelled documents"
    return f"the first learning step: {step.gathered} of its {step.batch_size} {kind} are here"
