"""Two topics read as one stream, in the order of their records' timestamps."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from kafka.consumer.fetcher import ConsumerRecord

from consumer.kafka.poller import Poller

PAUSE_SECONDS = 0.01


class RecordStream(Protocol):
    """Where a source takes records from; `Poller` says what each of these does."""

    @property
    def silence(self) -> float:
        """Seconds since the broker last said where the partitions end."""
        ...

    @property
    def in_touch(self) -> bool:
        """Whether the broker has lately said so."""
        ...

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return how many records of documents wait."""
        ...

    def past_gap(self, partition: int, position: int) -> int:
        """Return where a partition of documents goes on."""
        ...

    def take(self, timeout: float) -> ConsumerRecord | None:
        """Return the next record, or None after ``timeout`` seconds without one."""
        ...


class MergedStream:
    """Documents and labels, merged by timestamp; of the same time, documents first.

    So what a label is learned after does not depend on which topic was fetched sooner: a run that
    reads both again after a crash reads them in the same order. A record of one topic waits until
    the other has one, too, or has none: the broker says so some times a second. What is written
    with an older timestamp than what was read already comes late, and is read then.

    Parameters
    ----------
    documents, labels
        Pollers, started by whoever made them.
    clock
        Seconds of the clock that the pollers go by.
    """

    def __init__(
        self, documents: Poller, labels: Poller, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._documents = documents
        self._labels = labels
        self._clock = clock

    @property
    def silence(self) -> float:
        """Seconds since the broker last said where the partitions of either end."""
        return max(self._documents.silence, self._labels.silence)

    @property
    def in_touch(self) -> bool:
        """Whether the broker has lately said so of both."""
        return self._documents.in_touch and self._labels.in_touch

    def lag(self, positions: Mapping[int, int]) -> dict[int, int]:
        """Return how many records of documents wait."""
        return self._documents.lag(positions)

    def past_gap(self, partition: int, position: int) -> int:
        """Return where a partition of documents goes on."""
        return self._documents.past_gap(partition, position)

    def take(self, timeout: float) -> ConsumerRecord | None:
        """Return the next record, or None after ``timeout`` seconds without one.

        Raises
        ------
        PollError
            A poller has died.
        """
        deadline = self._clock() + timeout
        while True:
            chosen = self._next()
            if chosen is not None:
                return chosen.take(0.0)
            if self._clock() >= deadline:
                return None
            time.sleep(PAUSE_SECONDS)

    def _next(self) -> Poller | None:
        """Choose whose record is next, if that is known."""
        document, label = self._documents.peek(), self._labels.peek()
        if document is not None and label is not None:
            return self._labels if label.timestamp < document.timestamp else self._documents
        if document is None and label is None:
            return None
        there, missing = self._documents, self._labels
        if document is None:
            there, missing = missing, there
        return there if missing.settled(there.waits_since) else None
