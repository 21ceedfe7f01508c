"""Labels, discovered as the stream brings them."""

from typing import Any


class LabelLimitError(ValueError):
    """A new label would exceed the limit."""


class LabelSet:
    """Label strings, numbered in the order of their first appearance.

    Parameters
    ----------
    limit
        Most labels it takes: without a limit, a hostile stream grows the model forever.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def names(self) -> list[str]:
        """Every label; its index is its number."""
        return list(self._numbers)

    def add(self, label: str) -> int:
        """Return the label's number; a label not seen before gets the next.

        Raises
        ------
        LabelLimitError
            The label is new and the limit is reached.
        """
        if label not in self._numbers:
            if len(self) >= self._limit:
                raise LabelLimitError(
                    f"label {label!r} is new, but {self._limit} labels are known already;"
                    " raise --max-labels if it is meant"
                )
            self._numbers[label] = len(self)
        return self._numbers[label]

    def state_dict(self) -> dict[str, Any]:
        """Return the names in order."""
        return {"names": self.names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._numbers = {name: number for number, name in enumerate(state["names"])}
