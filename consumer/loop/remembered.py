"""Remember a limited number of ids, each with a value."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

V = TypeVar("V")


class Remembered(Generic[V]):
    """Values by id; of more ids than fit, the one that was added first is forgotten.

    Parameters
    ----------
    capacity
        Largest number of ids.

    Examples
    --------
    >>> seen = Remembered[str](capacity=2)
    >>> seen.add("d1", "sport"), seen.add("d2", "sport"), seen.add("d3", "arts")
    (None, None, ('d1', 'sport'))
    >>> "d1" in seen, seen.get("d3")
    (False, 'arts')
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[str, V] = OrderedDict()

    def __contains__(self, id_: str) -> bool:
        """Return whether an id is remembered."""
        return id_ in self._values

    def __len__(self) -> int:
        """Return the number of ids."""
        return len(self._values)

    def get(self, id_: str) -> V | None:
        """Return the value of an id; None if the id is not remembered."""
        return self._values.get(id_)

    def add(self, id_: str, value: V) -> tuple[str, V] | None:
        """Remember an id as the latest one; return the id that is forgotten, and its value."""
        self._values[id_] = value
        self._values.move_to_end(id_)
        return self._values.popitem(last=False) if len(self._values) > self._capacity else None

    def pop(self, id_: str) -> V | None:
        """Forget an id and return its value; None if the id is not remembered."""
        return self._values.pop(id_, None)

    def values(self) -> list[V]:
        """Return the values, oldest first."""
        return list(self._values.values())

    def items(self) -> list[tuple[str, V]]:
        """Return the ids and their values, oldest first."""
        return list(self._values.items())

    def restore(self, items: Iterable[tuple[str, V]]) -> list[tuple[str, V]]:
        """Replace all ids by others; return those that do not fit, the oldest."""
        found = list(items)
        self._values = OrderedDict(found[-self._capacity :])
        return found[: -self._capacity]
