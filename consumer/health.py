"""What the health checks say, before and after this consumer has begun to learn."""

from consumer.poller import Poller


class Health:
    """A standby is alive and not ready; a learner is what its poller is."""

    def __init__(self) -> None:
        self._poller: Poller | None = None

    def follow(self, poller: Poller) -> None:
        """Answer for a poller from now on."""
        self._poller = poller

    def complaint(self) -> str | None:
        """Say what is wrong, if anything is."""
        return self._poller.complaint() if self._poller else None

    def not_ready(self) -> str | None:
        """Say why no documents can arrive now, if so."""
        return self._poller.not_ready() if self._poller else "loading, or standing by"
