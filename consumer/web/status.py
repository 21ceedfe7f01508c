"""How it goes, for people: what the live page shows."""

from collections.abc import Mapping
from typing import Any

from consumer.checkpoints.store import CheckpointStore
from consumer.commit.committer import Committer
from consumer.heldout import history
from consumer.kafka.poller import Poller
from consumer.monitoring.progress import Progress


class Health:
    """A standby is alive and not ready; a learner is what its poller is."""

    def __init__(self) -> None:
        self._poller: Poller | None = None
        self._committer: Committer | None = None

    def follow(self, poller: Poller, committer: Committer) -> None:
        """Answer for what reads and what commits from now on."""
        self._poller, self._committer = poller, committer

    def complaint(self) -> str | None:
        """Say what is wrong, if anything is."""
        return self._poller.complaint() if self._poller else None

    def not_ready(self) -> str | None:
        """Say why no documents can arrive now, if so."""
        if self._poller is None or self._committer is None:
            return "loading, or standing by"
        return self._poller.not_ready() or self._committer.complaint()


class Status:
    """Progress, and what else a reader wants to know of this consumer.

    Parameters
    ----------
    about
        What does not change.
    """

    def __init__(
        self, progress: Progress, health: Health, store: CheckpointStore, about: Mapping[str, Any]
    ) -> None:
        self._progress = progress
        self._health = health
        self._store = store
        self._about = about

    def snapshot(self) -> dict[str, Any]:
        """Return it, ready for JSON.

        Beyond `Progress.snapshot`: ``waiting`` says why no documents can arrive now, if so;
        ``checkpoint`` is the last one committed, ``committed`` when, in seconds since 1970;
        ``heldout`` is the curve that an evaluator has left.
        """
        checkpoint = self._progress.checkpoint
        return {
            **self._about,
            **self._progress.snapshot(),
            "waiting": self._health.not_ready(),
            "checkpoint": checkpoint,
            "committed": self._store.written(checkpoint),
            "heldout": history.curve(self._store.folder),
        }

    def model(self, labels: list[str]) -> dict[str, Any]:
        """Return what describes the model that knows some labels."""
        now = self._progress.snapshot()
        scores = now["prequential"]
        return {
            **self._about,
            "checkpoint": self._progress.checkpoint,
            "step": now["steps"],
            "labels": labels,
            "documents": now["documents"],
            "accuracy": scores and scores["window"]["accuracy"],
        }
