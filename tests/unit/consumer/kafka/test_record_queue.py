"""The queue between polling and learning: order, bounds, lag, gaps and failures."""

import time
from typing import NamedTuple

import pytest

from consumer.kafka.fetched import Trouble
from consumer.kafka.record_queue import RecordQueue
from consumer.kafka.room import CAPACITY_BYTES, Room
from newsreel.common.errors import UserError


class Record(NamedTuple):
    """The fields of a Kafka record that a queue reads."""

    offset: int
    partition: int = 0
    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: tuple[()] = ()
    timestamp: int = 0


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
    """A queue is full with its number of records, or with too many bytes.

    A full queue has room again when half of its records are taken.
    """
    assert queue.room() == Room({0}, 4)
    fetch(queue, 0, 1)
    assert queue.room() == Room({0}, 2)
    fetch(queue, 2, 3)
    assert not queue.room().partitions
    queue.take(0.0)
    assert not queue.room().partitions
    queue.take(0.0)
    assert queue.room() == Room({0}, 2)
    queue.take(0.0)
    queue.take(0.0)
    queue.put([Record(4, value=b"x" * CAPACITY_BYTES)], {0: 5}, 0.0)
    assert not queue.room().partitions
    queue.take(0.0)
    assert queue.room() == Room({0}, 4)


def test_time_of_the_fetch(queue: RecordQueue) -> None:
    """The records of a fetch wait since its time; fetches without records left are forgotten."""
    fetch(queue, 0, 1, polled=100.0)
    fetch(queue, 2, polled=200.0)
    waits = [queue.waits_since]
    while queue.take(0.0) is not None:
        waits.append(queue.waits_since)
    assert waits == [100.0, 100.0, 200.0, 200.0]


def test_lag(queue: RecordQueue) -> None:
    """Lag counts offsets after a position; without queued records, after the next fetch."""
    fetch(queue, 0, 1)
    queue.set_ends({0: 10, 1: 3}, {}, asked=0.0)
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
    queue.set_ends({0: 1}, {}, asked=5.0)
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


@pytest.fixture
def pair() -> RecordQueue:
    """Return a queue of two partitions, each of which has ten records to fetch."""
    queue = RecordQueue({0: 0, 1: 0}, capacity=8)
    queue.set_ends({0: 10, 1: 10}, {}, asked=0.0)
    return queue


def stamped(partition: int, *stamps: int) -> list[Record]:
    return [Record(n, partition, timestamp=stamp) for n, stamp in enumerate(stamps)]


def test_waits_for_a_partition_that_was_not_fetched(pair: RecordQueue) -> None:
    """A record waits while another partition has records of which none is fetched."""
    pair.put(stamped(0, 1, 3), {0: 2}, 0.0)
    assert pair.peek() is None
    assert pair.take(0.0) is None
    assert not pair.in_touch  # a stream whose records wait is not idle
    pair.put(stamped(1, 2), {1: 1}, 0.0)
    assert [record and record.timestamp for record in map(pair.take, [0.0] * 3)] == [1, 2, None]
    pair.put([], {1: 10}, 0.0)  # markers of transactions up to the end
    assert pair.take(0.0) == Record(1, 0, timestamp=3)


def test_ends_that_are_not_known() -> None:
    """Before the broker has said where the partitions end, records wait for all of them."""
    queue = RecordQueue({0: 0, 1: 0}, capacity=8)
    queue.put(stamped(0, 1), {0: 1}, 0.0)
    assert queue.peek() is None
    queue.set_ends({0: 1, 1: 0}, {}, asked=0.0)
    assert queue.peek() is not None


def test_patience(pair: RecordQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition that can't be fetched delays the others once, until a record of it arrives."""
    monkeypatch.setattr("consumer.kafka.waiting.PATIENCE_SECONDS", 0.05)
    pair.put(stamped(0, 5, 6, 7, 8), {0: 4}, 0.0)
    assert pair.take(0.0) is None
    assert pair.take(5.0) == Record(0, 0, timestamp=5)
    assert pair.take(0.0) == Record(1, 0, timestamp=6)
    assert pair.room().partitions == {0, 1}
    pair.put(stamped(1, 1), {1: 1}, 0.0)
    assert pair.take(0.0) == Record(0, 1, timestamp=1)
    assert pair.take(0.0) is None


def test_records_without_timestamps_do_not_wait(pair: RecordQueue) -> None:
    """Records without a timestamp are taken as they are fetched."""
    pair.put(stamped(0, -1, -1), {0: 2}, 0.0)
    assert pair.take(0.0) == Record(0, 0, timestamp=-1)


def test_a_failure_ends_the_waiting(pair: RecordQueue) -> None:
    """Once polling has failed, no partition is waited for."""
    pair.put(stamped(0, 1), {0: 1}, 0.0)
    pair.fail(UserError("the disk is gone"))
    assert pair.take(0.0) == Record(0, 0, timestamp=1)


def test_partitions_share_the_room(pair: RecordQueue) -> None:
    """A partition fills its share at most; the partition that others wait for is fetched first."""
    assert pair.room() == Room({0, 1}, 8)
    pair.put(stamped(0, *range(8)), {0: 8}, 0.0)
    assert pair.room() == Room({1}, 8)


def test_a_large_partition_leaves_room(pair: RecordQueue) -> None:
    """A partition that fills the queue with its bytes can't keep another one from being fetched."""
    pair.put([Record(0, 0, value=b"x" * CAPACITY_BYTES)], {0: 1}, 0.0)
    assert pair.room() == Room({1}, 1)


def test_backlogs_come_first(pair: RecordQueue) -> None:
    """While a partition has a backlog, one that was read to its end is not fetched."""
    pair.put(stamped(0, 1), {0: 10, 1: 1}, 0.0)
    assert pair.room().partitions == {1}
    pair.put(stamped(1, 1), {1: 2}, 0.0)
    assert pair.room().partitions == {1}
    pair.put([], {1: 10}, 0.0)
    assert pair.room().partitions == {0, 1}


def test_wait_for_room(queue: RecordQueue) -> None:
    """Waiting for room ends when records are taken, or after some time."""
    fetch(queue, 0, 1, 2, 3)
    queue.wait_for_room(0.01)
    assert not queue.room().partitions
    queue.take(0.0)
    queue.take(0.0)
    queue.wait_for_room(60.0)
    assert queue.room().partitions


def test_records_behind_an_open_transaction(queue: RecordQueue) -> None:
    """Records that a transaction hides are lag, and no idle stream; nothing waits to fetch them."""
    now = time.monotonic()
    queue.set_ends({0: 0}, {}, now, {0: 1000})
    assert queue.lag({0: 0}) == {0: 1000}
    assert not queue.missing
    assert not queue.in_touch
    queue.set_ends({0: 1001}, {0: 1001}, now, {0: 1001})
    assert queue.lag({0: 0}) == {0: 0}
    assert queue.in_touch


@pytest.mark.parametrize(
    "trouble", [Trouble(leaderless={1}), Trouble(unanswered={1}), Trouble(stalled={1})]
)
def test_trouble_is_not_idle(pair: RecordQueue, trouble: Trouble) -> None:
    """A stream of which a partition can't be read, or may have records, is not idle."""
    now = time.monotonic()
    ends = {0: 10, 1: 10}
    pair.set_ends(ends, ends, now, trouble=trouble)
    assert not pair.in_touch
    pair.set_ends(ends, ends, now)
    assert pair.in_touch


def test_partition_without_a_leader(pair: RecordQueue) -> None:
    """Records do not wait for a partition without a leader, which is not fetched either."""
    pair.set_ends({0: 10}, {}, 0.0, trouble=Trouble(leaderless={1}))
    pair.put(stamped(0, 1, 3), {0: 2}, 0.0)
    assert pair.room().partitions == {0}
    assert pair.take(0.0) == Record(0, 0, timestamp=1)
    pair.put([], {0: 10}, 0.0)
    pair.take(0.0)
    pair.set_ends({0: 10, 1: 10}, {}, 0.0)
    assert pair.missing == {1}


@pytest.mark.parametrize(
    "trouble", [Trouble(leaderless={1}), Trouble(unanswered={1}), Trouble(stalled={1})]
)
def test_another_topic_waits_for_some_seconds(pair: RecordQueue, trouble: Trouble) -> None:
    """Records of another topic do not pass those of a partition in trouble until it is excused."""
    ends = {0: 10, 1: 10}
    pair.set_ends(ends, {0: 10, 1: 9}, 0.0, trouble=trouble)
    assert not pair.settled(0.0)
    pair.set_ends(ends, {0: 10, 1: 9}, 0.0, trouble=trouble._replace(excused={1}))
    assert pair.settled(0.0)


def test_an_end_that_is_not_known(pair: RecordQueue) -> None:
    """Records of another topic wait while a leader has never said where its partition ends."""
    pair.set_ends({0: 10}, {0: 10, 1: 0}, 0.0, trouble=Trouble(unanswered={1}))
    assert not pair.settled(0.0)


def test_records_that_an_election_removed(queue: RecordQueue) -> None:
    """Queued records that are lost are not taken, and the position moves back once."""
    fetch(queue, 0, 1, 2, 3)
    queue.skip(0, 2)
    assert [queue.take(0.0) for _ in range(3)] == [Record(0), Record(1), None]
    fetch(queue, 4, 5)
    queue.skip(0, 2)
    assert queue.take(0.0) is None
    assert [queue.past_gap(0, 4), queue.past_gap(0, 4)] == [2, 4]
