"""The replay ratio: the number of documents to replay for each new document."""

from typing import Any, Protocol


class ReplayRatio(Protocol):
    """Number of documents to replay in each learning step."""

    def due(self, new: int, lag: int) -> int:
        """Return the number of documents to replay.

        Parameters
        ----------
        new
            Number of new documents in the learning step.
        lag
            Number of records that are not read yet.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the complete state, for a checkpoint."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        ...


class FixedRatio:
    """Constant number of replayed documents for each new document.

    Parameters
    ----------
    ratio
        Replayed documents for each new document; fractions carry over to the next step.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._remainder = 0.0

    def due(self, new: int, lag: int) -> int:  # noqa: ARG002
        """Return the number of documents to replay; ``lag`` has no effect."""
        return self.take(self._ratio * new)

    def take(self, count: float) -> int:
        """Add a fractional count to the remainder, and return its whole documents."""
        self._remainder += count
        whole = int(self._remainder + 1e-9)
        self._remainder -= whole
        return whole

    def state_dict(self) -> dict[str, Any]:
        """Return the fraction of a document that carries over to the next step."""
        return {"owed": self._remainder}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._remainder = state["owed"]


class LagAwareRatio:
    """Replay ratio that decreases while the consumer lags behind.

    The training data then depends on the arrival times of documents. A run can't be repeated
    exactly.

    Parameters
    ----------
    ratio
        Replayed documents for each new document while the lag is at most ``target``.
    target
        Lag in records, above which the ratio decreases: a lag of twice the target halves the ratio.
    """

    def __init__(self, ratio: float, target: int) -> None:
        self._ratio = ratio
        self._target = target
        self._accumulator = FixedRatio(ratio)

    def due(self, new: int, lag: int) -> int:
        """Return the number of documents to replay, given the lag in records."""
        return self._accumulator.take(self._ratio * new * min(1.0, self._target / max(lag, 1)))

    def state_dict(self) -> dict[str, Any]:
        """Return the fraction of a document that carries over to the next step."""
        return self._accumulator.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._accumulator.load_state_dict(state)
