"""The queue between polling and learning: order, bounds, lag, gaps and failures."""

from typing import NamedTuple

import pytest

from consumer.kafka.record_queue import CAPACITY_BYTES, RecordQueue
from newsreel.common.errors import UserError


class Record(NamedTuple):
    """The fields of a Kafka record that a queue reads."""

    offset: int
    partition: int = 0
    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: tuple[()] = ()


@pytest.fixture
def queue() -> RecordQueue:
    return RecordQueue({0: 0}, capacity=4)


def fetch(queue: RecordQueue, *offsets: int, polled: float = 0.0) -> None:
    """Put records of partition 0 into a queue."""
    queue.put([Record(offset) for offset in offsets], {0: offsets[-1] + 1}, polled)


def test_order(queue: RecordQueue) -> None:
    """Records are taken in the order in which they were put; peeking takes nothing."""
    fetch(queue, 0, 1)
    fetch(queue, 2)
    assert queue.peek() == Record(0)
    assert [queue.take(0.0) for _ in range(4)] == [Record(0), Record(1), Record(2), None]
    assert queue.peek() is None


def test_room(queue: RecordQueue) -> None:
    """A queue is full with its number of records, or with too many bytes."""
    assert queue.room == 4
    fetch(queue, 0, 1, 2)
    assert queue.room == 1
    fetch(queue, 3, 4)
    assert queue.room == 0
    for _ in range(5):
        queue.take(0.0)
    queue.put([Record(5, value=b"x" * CAPACITY_BYTES)], {0: 6}, 0.0)
    assert queue.room == 0
    queue.take(0.0)
    assert queue.room == 4


def test_time_of_the_fetch(queue: RecordQueue) -> None:
    """The records of a fetch wait since its time; fetches without records left are forgotten."""
    fetch(queue, 0, 1, polled=100.0)
    fetch(queue, 2, polled=200.0)
    waits = [queue.waits_since]
    while queue.take(0.0) is not None:
        waits.append(queue.waits_since)
    assert waits == [100.0, 100.0, 200.0, 200.0]
    assert len(queue._fetches) == 1


def test_lag(queue: RecordQueue) -> None:
    """Lag counts offsets after a position; without queued records, after the next fetch."""
    fetch(queue, 0, 1)
    queue.set_ends({0: 10, 1: 3}, asked=0.0)
    assert queue.lag({0: 1}) == {0: 9, 1: 3}
    queue.take(0.0)
    queue.take(0.0)
    queue.put([], {0: 7}, polled=0.0)  # offsets 2 to 6 are markers of transactions
    assert queue.lag({0: 2}) == {0: 3, 1: 3}


def test_gap(queue: RecordQueue) -> None:
    """A gap moves the position only when the records before the gap are taken."""
    fetch(queue, 0)
    queue.skip(0, 8)
    assert queue.past_gap(0, 1) == 1
    queue.take(0.0)
    assert queue.past_gap(0, 1) == 8
    assert queue.past_gap(0, 9) == 9


def test_settled(queue: RecordQueue) -> None:
    """All is taken when the broker has answered since, and nothing is left before the ends."""
    queue.set_ends({0: 1}, asked=5.0)
    assert not queue.settled(4.0)
    fetch(queue, 0)
    assert not queue.settled(4.0)
    queue.take(0.0)
    assert queue.settled(5.0)
    assert not queue.settled(6.0)


def test_failure(queue: RecordQueue) -> None:
    """Records put before a failure are still taken; then taking and peeking raise its error."""
    fetch(queue, 0)
    queue.fail(UserError("the disk is gone"))
    assert queue.take(0.0) == Record(0)
    for read in (queue.peek, lambda: queue.take(60.0)):
        with pytest.raises(UserError, match="the disk is gone"):
            read()
