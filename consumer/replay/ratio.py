"""How many documents are replayed: as many as there is time for."""

from typing import Any, Protocol


class ReplayRatio(Protocol):
    """Says how many documents to replay."""

    def due(self, new: int, lag: int) -> int:
        """Return how many to mix with new ones, while so many records wait to be read."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that its future depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


class FixedRatio:
    """The same number of replayed documents for each new one, over the whole stream.

    Parameters
    ----------
    ratio
        Replayed documents for each new one; fractions add up over steps.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._owed = 0.0

    def due(self, new: int, lag: int) -> int:  # noqa: ARG002
        """Return how many to mix with new ones."""
        return self.take(self._ratio * new)

    def take(self, more: float) -> int:
        """Owe some more, and return the whole documents in what is owed."""
        self._owed += more
        whole = int(self._owed + 1e-9)
        self._owed -= whole
        return whole

    def state_dict(self) -> dict[str, Any]:
        """Return the fraction of a document that is owed."""
        return {"owed": self._owed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._owed = state["owed"]


class LagAwareRatio:
    """Less replay the further the consumer falls behind, and all of it when it has caught up.

    What is learned then depends on when documents came, not only on what they were: a run can't be
    repeated exactly.

    Parameters
    ----------
    ratio
        Replayed documents for each new one while no more than ``target`` records wait.
    target
        Records; with twice as many waiting, half as much is replayed.
    """

    def __init__(self, ratio: float, target: int) -> None:
        self._ratio = ratio
        self._target = target
        self._steady = FixedRatio(ratio)

    def due(self, new: int, lag: int) -> int:
        """Return how many to mix with new ones, while so many records wait to be read."""
        return self._steady.take(self._ratio * new * min(1.0, self._target / max(lag, 1)))

    def state_dict(self) -> dict[str, Any]:
        """Return the fraction of a document that is owed."""
        return self._steady.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._steady.load_state_dict(state)
