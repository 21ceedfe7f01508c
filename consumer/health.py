"""What the health checks say, before and after this consumer has begun to learn."""

from consumer.commit import Committer
from consumer.poller import Poller


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
