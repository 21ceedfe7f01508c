"""Health checks, and the JSON behind the live page and GET /model."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from consumer.checkpoints.store import CheckpointStore
from consumer.heldout import history
from consumer.monitoring.progress import Progress
from consumer.web.server import Check


class Health:
    """Health of this consumer: a standby is alive, and not ready before `begin`."""

    def __init__(self) -> None:
        self._alive: Check = lambda: None
        self._ready: Sequence[Check] = [lambda: "loading, or standing by"]
        self.notices: Callable[[], Collection[str]] = tuple
        """Returns what an operator should know though all documents can be learned."""

    def begin(
        self, alive: Check, ready: Sequence[Check], notices: Callable[[], Collection[str]] = tuple
    ) -> None:
        """Answer by checks from now on; the first check of ``ready`` that fails is the answer."""
        self._alive, self._ready, self.notices = alive, ready, notices

    def problem(self) -> str | None:
        """Return why this process needs a restart, or None."""
        return self._alive()

    def not_ready(self) -> str | None:
        """Return why some documents can't be learned now, or None."""
        return next((problem for check in self._ready if (problem := check())), None)


class Status:
    """Builds the JSON of GET /progress and GET /model from progress, health and checkpoints.

    Parameters
    ----------
    progress
        Counts and scores of the run.
    health
        Readiness of the consumer.
    store
        Folder of checkpoints.
    about
        Constant fields, such as the name of the learner.
    """

    def __init__(
        self, progress: Progress, health: Health, store: CheckpointStore, about: Mapping[str, Any]
    ) -> None:
        self._progress = progress
        self._health = health
        self._store = store
        self._about = about

    def snapshot(self) -> dict[str, Any]:
        """Return the state of the run, ready for JSON.

        Beyond `Progress.snapshot`: ``waiting`` is why some documents can't be learned now, or None;
        ``notices`` are what an operator should know, though all documents can be learned;
        ``checkpoint`` is the id of the last committed checkpoint and ``committed`` its time, in
        seconds since 1970; ``heldout`` is the curve that an evaluator has left.
        """
        checkpoint = self._progress.checkpoint
        return {
            **self._about,
            **self._progress.snapshot(),
            "waiting": self._health.not_ready(),
            "notices": list(self._health.notices()),
            "checkpoint": checkpoint,
            "committed": self._store.written(checkpoint),
            "heldout": history.curve(self._store.folder),
        }

    def model(self, labels: list[str]) -> dict[str, Any]:
        """Return the fields of GET /model, for a model that knows these labels."""
        progress = self._progress.snapshot()
        scores = progress["prequential"]
        return {
            **self._about,
            "checkpoint": self._progress.checkpoint,
            "step": progress["steps"],
            "labels": labels,
            "documents": progress["documents"],
            "accuracy": scores and scores["window"]["accuracy"],
        }
