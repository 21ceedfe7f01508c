"""Keep how far each partition was fetched, and where it ends."""

import math
from collections import Counter
from collections.abc import Mapping


class Fetched:
    """The next offset to fetch of each partition, and its end as the broker last said.

    Parameters
    ----------
    positions
        Next offset to fetch, by partition.

    Attributes
    ----------
    behind
        Partitions with records to fetch, or with an end that is not known yet.
    """

    def __init__(self, positions: Mapping[int, int]) -> None:
        self._positions = dict(positions)
        self._ends: dict[int, int] = {}
        self._gap_ends: Counter[int] = Counter()
        self.behind = set(positions)

    @property
    def partitions(self) -> set[int]:
        """Partitions that are read."""
        return set(self._positions)

    @property
    def to_the_ends(self) -> bool:
        """Whether all was fetched that was there when the broker last said where they end."""
        return all(self._positions.get(p, 0) >= end for p, end in self._ends.items())

    def move(self, positions: Mapping[int, int]) -> None:
        """Set the next offset to fetch of some partitions."""
        self._positions.update(positions)
        self._compare()

    def set_ends(self, ends: Mapping[int, int]) -> None:
        """Set where the partitions end."""
        self._ends = dict(ends)
        self._compare()

    def skip(self, partition: int, offset: int) -> None:
        """Move past records that were deleted before they were fetched."""
        self._gap_ends[partition] = offset
        self.move({partition: offset})

    def past_gap(self, partition: int, position: int) -> int:
        """Return a position, or the end of a gap of deleted records after it."""
        return max(position, self._gap_ends[partition])

    def lag(self, positions: Mapping[int, int], queued: set[int]) -> dict[int, int]:
        """Return the number of records after some positions, by partition.

        Where no record is queued, all that was fetched is taken: offsets up to the next fetch, such
        as the markers of transactions, hold no record.
        """
        lag = {}
        for partition, end in self._ends.items():
            position = positions.get(partition, 0)
            if partition not in queued:
                position = max(position, self._positions.get(partition, 0))
            lag[partition] = max(0, end - position)
        return lag

    def _compare(self) -> None:
        self.behind = {p for p, at in self._positions.items() if self._ends.get(p, math.inf) > at}
