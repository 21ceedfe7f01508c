"""Put the records of several partitions in the order of their timestamps."""

import heapq
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from kafka.consumer.fetcher import ConsumerRecord

from newsreel.events import cloudevents


class QueuedRecord(NamedTuple):
    """A fetched record."""

    record: ConsumerRecord

    fetched: float
    """When the record was fetched, in seconds of the monotonic clock."""

    arrival: int
    """Number of records that were fetched before."""


class TimeOrder:
    """Records that wait, in a queue for each partition: the record of the oldest timestamp is next.

    The order within a partition stays. Of equal timestamps, the lowest partition is next. A record
    without a timestamp comes before those that have one, in the order of arrival.

    Attributes
    ----------
    size
        Bytes of keys, values and headers that wait.
    """

    def __init__(self) -> None:
        self.size = 0
        self._queues: dict[int, deque[QueuedRecord]] = {}
        self._heads: list[tuple[int, int, int]] = []  # a heap: timestamp, arrival or 0, partition
        self._sizes: Counter[int] = Counter()
        self._arrived = 0

    def __bool__(self) -> bool:
        """Return whether any record waits."""
        return bool(self._heads)

    @property
    def partitions(self) -> set[int]:
        """Partitions with records that wait."""
        return {partition for _, _, partition in self._heads}

    @property
    def parallel(self) -> int:
        """Number of those partitions."""
        return len(self._heads)

    @property
    def first(self) -> QueuedRecord:
        """The next record."""
        return self._queues[self._heads[0][2]][0]

    def count(self, partition: int) -> int:
        """Return the number of records of a partition that wait."""
        return len(self._queues.get(partition, ()))

    def size_of(self, partition: int) -> int:
        """Return the bytes of keys, values and headers of a partition that wait."""
        return self._sizes[partition]

    def add(self, records: Sequence[ConsumerRecord], fetched: float) -> None:
        """Add the records of one fetch."""
        for record in records:
            partition = record.partition
            queue = self._queues.setdefault(partition, deque())
            queue.append(QueuedRecord(record, fetched, self._arrived))
            self._arrived += 1
            self._grow(partition, _size(record))
            if len(queue) == 1:
                self._push(partition)

    def pop(self) -> ConsumerRecord:
        """Take the next record."""
        partition = heapq.heappop(self._heads)[2]
        record = self._queues[partition].popleft().record
        self._grow(partition, -_size(record))
        if self._queues[partition]:
            self._push(partition)
        return record

    def drop(self, partition: int, offset: int) -> None:
        """Remove the records of a partition from an offset on."""
        queue = self._queues.get(partition, deque())
        while queue and queue[-1].record.offset >= offset:
            self._grow(partition, -_size(queue.pop().record))
        if not queue:
            self._heads = [head for head in self._heads if head[2] != partition]
            heapq.heapify(self._heads)

    def _grow(self, partition: int, size: int) -> None:
        self._sizes[partition] += size
        self.size += size

    def _push(self, partition: int) -> None:
        record, _, arrival = self._queues[partition][0]
        if record.timestamp < 0:
            heapq.heappush(self._heads, (-1, arrival, partition))
        else:
            heapq.heappush(self._heads, (record.timestamp, 0, partition))


def _size(record: ConsumerRecord) -> int:
    return len(record.key or b"") + len(record.value or b"") + cloudevents.size(record.headers)
