"""Names and numbers of the labels that a stream contains."""

from typing import Any


class LabelLimitError(ValueError):
    """A new label would exceed the maximum number of labels."""


class LabelSet:
    """Label names, numbered in the order of their first appearance.

    Parameters
    ----------
    limit
        Maximum number of labels. Bounds the size of the model on a stream with endless labels.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def names(self) -> list[str]:
        """All label names; the index of a name is its number."""
        return list(self._numbers)

    def add(self, label: str) -> int:
        """Return the number of a label; a new label gets the next number.

        Raises
        ------
        LabelLimitError
            The label is new and the limit is reached.
        """
        if label not in self._numbers:
            if len(self) >= self._limit:
                raise LabelLimitError(
                    f"label {label!r} is new, but the limit of {self._limit} labels is reached;"
                    " raise --max-labels to allow more labels"
                )
            self._numbers[label] = len(self)
        return self._numbers[label]

    def state_dict(self) -> dict[str, Any]:
        """Return the names in the order of their numbers."""
        return {"names": self.names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._numbers = {name: number for number, name in enumerate(state["names"])}
