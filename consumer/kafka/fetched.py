"""Keep how far each partition was fetched, and where it ends."""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple


class Trouble(NamedTuple):
    """Partitions that can't be read as they should be."""

    leaderless: AbstractSet[int] = frozenset()
    """Partitions without a leader: nothing is to be fetched from them."""

    unanswered: AbstractSet[int] = frozenset()
    """Partitions whose leader has not said where they end."""

    stalled: AbstractSet[int] = frozenset()
    """Partitions that are not fetched although records wait."""

    excused: AbstractSet[int] = frozenset()
    """Those of them that have been in trouble for some seconds: other topics wait no longer."""


class Fetched:
    """The next offset to fetch of each partition, and its ends as the broker last said.

    Parameters
    ----------
    positions
        Next offset to fetch, by partition.

    Attributes
    ----------
    behind
        Partitions with records to fetch, or with an end that is not known yet; without those that
        have no leader.
    trouble
        Partitions that can't be read as they should be.
    """

    def __init__(self, positions: Mapping[int, int]) -> None:
        self._positions = dict(positions)
        self._ends: dict[int, int] = {}
        self._high: dict[int, int] = {}
        self._gap_ends: dict[int, int] = {}
        self._rewound: dict[int, int] = {}
        self.behind = set(positions)
        self.trouble = Trouble()

    @property
    def partitions(self) -> set[int]:
        """Partitions that are read."""
        return set(self._positions)

    @property
    def to_the_ends(self) -> bool:
        """Whether all was fetched that could be, of partitions that are not excused."""
        trouble = self.trouble
        if (trouble.leaderless | trouble.unanswered) - trouble.excused:
            return False
        return all(
            self._positions.get(p, 0) >= end
            for p, end in self._ends.items()
            if p not in trouble.excused
        )

    @property
    def exhausted(self) -> bool:
        """Whether all was fetched that the topic has: nothing is hidden, and nothing unknown."""
        return not any(self.trouble) and all(
            self._positions.get(p, 0) >= end for p, end in self._high.items()
        )

    def move(self, positions: Mapping[int, int]) -> None:
        """Set the next offset to fetch of some partitions."""
        self._positions.update(positions)
        self._compare(positions)

    def set_ends(self, ends: Mapping[int, int], high: Mapping[int, int], trouble: Trouble) -> None:
        """Set where partitions end; the others end where they did."""
        self._ends |= ends
        self._high |= high
        self.trouble = trouble
        self._compare(self._positions)

    def skip(self, partition: int, offset: int) -> None:
        """Move past records that were deleted before they were fetched, or back to lost ones."""
        back = offset < self._positions.get(partition, 0)
        (self._rewound if back else self._gap_ends)[partition] = offset
        self.move({partition: offset})

    def past_gap(self, partition: int, position: int) -> int:
        """Return the position after one of which all records are taken.

        The position is moved back once, if later records are lost.
        """
        position = self._rewound.pop(partition, position)
        return max(position, self._gap_ends.get(partition, 0))

    def took(self, partition: int) -> None:
        """Note that a record was taken: its offset is the position."""
        self._rewound.pop(partition, None)

    def lag(self, positions: Mapping[int, int], queued: set[int]) -> dict[int, int]:
        """Return the number of records after some positions, by partition.

        Records of open transactions count. Where no record is queued, all that was fetched is
        taken: offsets up to the next fetch, such as the markers of transactions, hold no record.
        """
        lag = {}
        for partition, end in self._high.items():
            position = positions.get(partition, 0)
            if partition not in queued:
                position = max(position, self._positions.get(partition, 0))
            lag[partition] = max(0, end - position)
        return lag

    def _compare(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            end = self._ends.get(partition, math.inf)
            if self._positions[partition] < end and partition not in self.trouble.leaderless:
                self.behind.add(partition)
            else:
                self.behind.discard(partition)
