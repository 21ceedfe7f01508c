"""Records of several partitions in the order of time, however their fetches are interleaved."""

import time
from itertools import pairwise
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from consumer.kafka.record_queue import RecordQueue
from consumer.kafka.time_order import TimeOrder


class Record(NamedTuple):
    """The fields of a Kafka record that a queue reads."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: tuple[()] = ()


backlogs = st.lists(st.lists(st.integers(0, 30), max_size=12), min_size=1, max_size=5)


def records(backlog: list[list[int]]) -> list[list[Record]]:
    """Return the records of each partition, by the timestamps of the partition."""
    return [
        [Record(number, offset, stamp) for offset, stamp in enumerate(stamps)]
        for number, stamps in enumerate(backlog)
    ]


def merged(backlog: list[list[Record]]) -> list[Record]:
    """Merge partitions: the record of the oldest timestamp at the head of a partition is next."""
    left = [list(partition) for partition in backlog]
    found = []
    while heads := [partition[0] for partition in left if partition]:
        first = min(heads, key=lambda record: (record.timestamp, record.partition))
        found.append(left[first.partition].pop(0))
    return found


@given(backlogs, st.integers(0, 2**32))
def test_any_fetches_give_the_merged_order(backlog: list[list[int]], seed: int) -> None:
    """However fetches and takes are interleaved, a backlog is taken in one order.

    Each record is taken once. A fetch brings any number of records of any partitions that the queue
    has room for.
    """
    written, random = records(backlog), Random(seed)
    queue = RecordQueue(dict.fromkeys(range(len(written)), 0), capacity=6)
    queue.set_ends({n: len(part) for n, part in enumerate(written)}, {}, asked=0.0)
    fetched = [0] * len(written)
    taken: list[Record] = []
    while len(taken) < sum(map(len, written)):
        if random.random() < 0.5:
            taken += [record for _ in range(3) if (record := queue.take(0.0)) is not None]
            continue
        room = queue.room()
        found: list[Record] = []
        for number in random.sample(sorted(room.partitions), len(room.partitions)):
            most = min(room.records - len(found), len(written[number]) - fetched[number])
            count = random.randint(0, max(0, most))
            found += written[number][fetched[number] : fetched[number] + count]
            fetched[number] += count
        queue.put(found, dict(enumerate(fetched)), time.monotonic())
    assert taken == merged(written)
    assert queue.take(0.0) is None


@given(backlogs)
def test_sorted_partitions_are_sorted_together(backlog: list[list[int]]) -> None:
    """Partitions whose records are in the order of time are merged into the order of time."""
    order = TimeOrder()
    order.add([record for part in records([sorted(p) for p in backlog]) for record in part], 0.0)
    taken = []
    while order:
        taken.append(order.pop())
    assert all(before.timestamp <= after.timestamp for before, after in pairwise(taken))
    assert (order.size, order.partitions) == (0, set())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=12))
def test_without_timestamps(fetches: list[tuple[int, int]]) -> None:
    """Records without timestamps are taken in the order in which they were fetched."""
    order, put = TimeOrder(), []
    for partition, count in fetches:
        found = [Record(partition, len(put) + number, -1) for number in range(count)]
        order.add(found, 0.0)
        put += found
    taken = []
    while order:
        taken.append(order.pop())
    assert taken == put


def test_bounds() -> None:
    """The order knows how many records and bytes of each partition wait."""
    order = TimeOrder()
    order.add([Record(0, 0, 5, value=b"four"), Record(1, 0, 4, key=b"k")], fetched=7.0)
    assert (order.count(0), order.count(1), order.count(2)) == (1, 1, 0)
    assert (order.size, order.size_of(0), order.size_of(1)) == (7, 4, 3)
    assert (order.parallel, order.first.fetched) == (2, 7.0)
    assert order.pop().partition == 1
    assert (order.size, order.partitions) == (4, {0})
