"""Read two topics as one stream, in an order that does not depend on their fetches."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from kafka.consumer.fetcher import ConsumerRecord

from consumer.kafka.label_order import ByTime, LabelOrder
from consumer.kafka.record_queue import RecordQueue

PAUSE_SECONDS = 0.01
"""Seconds between two checks for the next record."""


class RecordStream(Protocol):
    """Records that a source takes; implemented by `RecordQueue` and `MergedStream`."""

    @property
    def silence(self) -> float:
        """Seconds since the broker last said where the partitions end."""
        ...

    @property
    def in_touch(self) -> bool:
        """Whether the broker has lately said where the partitions end."""
        ...

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return the number of records of documents after some positions, by partition."""
        ...

    def past_gap(self, partition: int, position: int) -> int:
        """Return the next position of a partition of documents."""
        ...

    def take(self, timeout: float) -> ConsumerRecord | None:
        """Take the next record; None after ``timeout`` seconds without one."""
        ...


class MergedStream:
    """Documents and labels as one stream.

    The order does not depend on which topic was fetched first, so a run that reads both topics
    again after a crash reads the records in the same order. A record of one topic is held back
    until the other topic has a record, too, or the broker has said that it has none.

    Parameters
    ----------
    documents, labels
        Queues that pollers fill.
    order
        Decides which of two records comes first.
    clock
        Seconds that only go forward.
    """

    def __init__(
        self,
        documents: RecordQueue,
        labels: RecordQueue,
        order: LabelOrder = ByTime(),  # noqa: B008 - immutable
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents = documents
        self._labels = labels
        self._order = order
        self._clock = clock

    @property
    def silence(self) -> float:
        """Seconds since the broker last said where the partitions of both topics end."""
        return max(self._documents.silence, self._labels.silence)

    @property
    def in_touch(self) -> bool:
        """Whether the broker has lately said where the partitions of both topics end."""
        return self._documents.in_touch and self._labels.in_touch

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return the number of records of documents after some positions, by partition."""
        return self._documents.lag(positions)

    def past_gap(self, partition: int, position: int) -> int:
        """Return the next position of a partition of documents."""
        return self._documents.past_gap(partition, position)

    def take(self, timeout: float) -> ConsumerRecord | None:
        """Take the next record of either topic; None after ``timeout`` seconds without one.

        Raises
        ------
        UserError
            Polling has failed.
        """
        deadline = self._clock() + timeout
        while True:
            queue = self._next()
            if queue is not None:
                return queue.take(0.0)
            if self._clock() >= deadline:
                return None
            time.sleep(PAUSE_SECONDS)

    def _next(self) -> RecordQueue | None:
        """Return the queue with the next record; None while that is unknown."""
        document, label = self._documents.peek(), self._labels.peek()
        if document is not None and label is not None:
            label_is_next = self._order.label_is_next(document.timestamp, label.timestamp)
            return self._labels if label_is_next else self._documents
        if document is None and label is None:
            return None
        filled, empty = self._documents, self._labels
        if document is None:
            filled, empty = empty, filled
        return filled if empty.settled(filled.waits_since) else None
