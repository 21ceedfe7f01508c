"""Polling does not wait for learning, and reads all records of a topic."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from helpers import CountPolls, HeaderName, Publish, documents
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch

from consumer.kafka.client import connect
from consumer.kafka.lost_records import LostOffsets
from consumer.kafka.patches import (
    _fetched_records_of_resumed_partitions,
    _read_msg_with_any_header_name,
)
from consumer.kafka.poll_errors import PollError
from consumer.kafka.poller import Poller
from consumer.kafka.record_queue import RecordQueue
from consumer.kafka.topic_client import TopicClient
from consumer.kafka.topic_state import read_state
from consumer.records.config import RecordConfig
from consumer.records.reader import RecordReader
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.errors import DecodeError, Reason


@pytest.fixture(autouse=True)
def _patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repair the client, as the consumer does at its start."""
    monkeypatch.setattr(Fetcher, "fetched_records", _fetched_records_of_resumed_partitions)


@contextmanager
def polling(
    servers: str, topic: str, capacity: int = 16, lost_offsets: LostOffsets = "stop"
) -> Iterator[RecordQueue]:
    def client() -> KafkaConsumer:
        return connect({"bootstrap_servers": servers})

    consumer = client()
    start = read_state(consumer, Connection(servers), topic, "earliest").first
    reader = TopicClient(consumer, topic, client)
    poller = Poller(reader, start, capacity, lost_offsets, CountPolls())
    poller.start()
    try:
        yield poller.queue
    finally:
        poller.close()


def wait_until(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def take(queue: RecordQueue, count: int) -> list[tuple[int, int]]:
    """Take records and return partition and offset of each."""
    places = []
    for _ in range(count):
        record = queue.take(30)
        assert record is not None
        places.append((record.partition, record.offset))
    return places


def delete(servers: str, topic: str, before: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        admin.delete_records({TopicPartition(topic, 0): before})
    finally:
        admin.close()


def test_full_queue_pauses_polling(publish: Publish, topic: str, bootstrap_servers: str) -> None:
    """A slow reader gets each record once, in order, and the queue stays bounded."""
    publish(topic, documents(200))
    with polling(bootstrap_servers, topic, capacity=8) as queue:
        offsets = []
        while len(offsets) < 200:
            record = queue.take(5)
            assert record is not None
            offsets.append(record.offset)
            assert queue._records.count(0) <= 8
        assert offsets == list(range(200))


@pytest.mark.parametrize("partitions", [2, 20])
def test_shared_room(publish: Publish, topic: str, bootstrap_servers: str, partitions: int) -> None:
    """Partitions that share the room of a queue are all read, each record once, by timestamp."""
    publish(topic, documents(2000), partitions)
    with polling(bootstrap_servers, topic, capacity=64) as queue:
        found = []
        for _ in range(2000):
            record = queue.take(30)
            assert record is not None
            assert queue._records.count(record.partition) <= 64
            found.append((record.timestamp, record.partition, record.offset))
    assert found == sorted(found)
    assert len(set(found)) == 2000
    assert queue.take(0.5) is None


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_compressed_records(
    publish: Publish, topic: str, bootstrap_servers: str, codec: str
) -> None:
    """Records with any compression are read."""
    publish(topic, [])
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, compression_type=codec)
    producer.send(topic, value=codec.encode() * 100).get(timeout=30)
    producer.close()
    with polling(bootstrap_servers, topic) as queue:
        record = queue.take(30)
        assert record is not None
        assert record.value == codec.encode() * 100


def test_lag_of_records_not_fetched(publish: Publish, topic: str, bootstrap_servers: str) -> None:
    """The lag includes records that are not fetched because the queue is full."""
    publish(topic, documents(10))
    with polling(bootstrap_servers, topic, capacity=4) as queue:
        wait_until(lambda: queue.lag({}) == {0: 10})
        publish(topic, documents(30))
        wait_until(lambda: queue.lag({}) == {0: 40})
        assert queue.lag({0: 15}) == {0: 25}


def test_lag_without_transaction_markers(
    publish: Publish, topic: str, bootstrap_servers: str
) -> None:
    """Markers of transactions at the end of a topic do not count as lag."""
    publish(topic, [])
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=topic)
    producer.init_transactions()
    for end in (producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.send(topic, value=b"one").get(timeout=30)
        end()
    producer.close()
    with polling(bootstrap_servers, topic) as queue:
        wait_until(lambda: queue.lag({}) != {})
        assert take(queue, 1) == [(0, 0)]
        wait_until(lambda: queue.lag({0: 1}) == {0: 0})
        assert queue.take(0.5) is None


def test_added_partition(publish: Publish, topic: str, bootstrap_servers: str) -> None:
    """Records written to a new partition before the poller noticed the partition are read, once."""
    publish(topic, documents(4))
    with polling(bootstrap_servers, topic) as queue:
        assert take(queue, 4) == [(0, offset) for offset in range(4)]
        with kafka.admin(kafka.Connection(bootstrap_servers)) as admin:
            admin.create_partitions({topic: 2})
        publish(topic, documents(6), partitions=2)
        found = take(queue, 6)
        assert sorted(found) == [(0, 4), (0, 5), (0, 6), (1, 0), (1, 1), (1, 2)]
        assert queue.take(0.5) is None


@pytest.mark.parametrize("lost_offsets", ["stop", "continue"])
def test_deleted_records(
    publish: Publish, topic: str, bootstrap_servers: str, lost_offsets: LostOffsets
) -> None:
    """Deleted records stop the poller, or are counted and skipped."""
    publish(topic, documents(12))
    consumer = connect({"bootstrap_servers": bootstrap_servers})
    reader = TopicClient(consumer, topic, lambda: connect({"bootstrap_servers": bootstrap_servers}))
    delete(bootstrap_servers, topic, before=5)
    observer = CountPolls()
    poller = Poller(reader, {0: 2}, 16, lost_offsets, observer)
    poller.start()
    try:
        if lost_offsets == "stop":
            with pytest.raises(PollError, match="3 records from 2 on"):
                poller.queue.take(30)
        else:
            assert take(poller.queue, 7) == [(0, offset) for offset in range(5, 12)]
            assert observer.records == 3
    finally:
        poller.close()


def test_header_name_that_is_not_utf8(
    publish: Publish, topic: str, bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record with a header name that is not UTF-8 is read, as unusable, and so are later ones."""
    monkeypatch.setattr(DefaultRecordBatch, "_read_msg", _read_msg_with_any_header_name)
    publish(topic, [])
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers)
    producer.send(topic, value=b'{"text":"odd"}', headers=[(HeaderName(b"ce_\xff"), b"x")]).get(
        timeout=30
    )
    producer.send(topic, value=b"even").get(timeout=30)
    producer.close()
    with polling(bootstrap_servers, topic) as queue:
        odd, even = queue.take(30), queue.take(30)
    assert odd is not None
    assert even is not None
    assert (odd.value, even.value) == (b'{"text":"odd"}', b"even")
    with pytest.raises(DecodeError) as refused:
        RecordReader.build(RecordConfig()).read(odd)
    assert refused.value.reason is Reason.BAD_HEADER
