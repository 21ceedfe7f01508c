"""Polling does not wait for learning."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from helpers import Publish, documents
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError

from consumer import group, prequential
from consumer.evaluation import Evaluator
from consumer.labels import LabelSet
from consumer.learners.bayes import ComplementBayes
from consumer.learners.protocol import Forecast, Lesson, Proposal
from consumer.micro_batch import MicroBatch
from consumer.ngrams import Ngrams
from consumer.poller import Poller
from consumer.quarantine import Quarantine
from consumer.replay import Reservoir
from consumer.replay_ratio import FixedRatio
from consumer.source import KafkaSource
from service.kafka import Connection

INTERVAL_MS = 1500
STEP_SECONDS = 4.0


@contextmanager
def polling(servers: str, topic: str, capacity: int = 16) -> Iterator[Poller]:
    poller = Poller(group.connect(Connection(servers), topic, INTERVAL_MS), topic, capacity)
    poller.start()
    try:
        yield poller
    finally:
        poller.close()


def wait_until(condition: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


class SlowBayes(ComplementBayes):
    """A real learner on a machine that is too slow for its stream."""

    def propose(self, new: Lesson, replayed: Lesson, forecast: Forecast) -> Proposal:
        time.sleep(STEP_SECONDS)
        return super().propose(new, replayed, forecast)


def test_a_step_longer_than_the_poll_interval_keeps_the_membership(
    publish: Publish, topic: str, bootstrap_servers: str
) -> None:
    """Partitions stay, every document is learned once, and the commit is taken."""
    publish(topic, documents(32))
    labels = LabelSet(10)
    with polling(bootstrap_servers, topic) as poller:
        source = KafkaSource(poller, labels, {}, linger=5, stop_after=32)
        generation = None
        ids = []
        for step in prequential.run(
            source,
            Ngrams(),
            SlowBayes(),
            Reservoir(100, 0),
            FixedRatio(1.0),
            Evaluator(),
            labels,
            MicroBatch(16),
            Quarantine(topic),
        ):
            ids += [prediction.document.id for prediction in step.predictions]
            assert list(poller.assigned) == [0]
            now = poller._consumer.group_metadata().generation_id
            assert generation in {None, now}
            generation = now
            assert step.seconds["learn"] > INTERVAL_MS / 1000
            source.commit(step.positions, "checkpoint")
        assert ids == [document.id for document in documents(32)]


def test_polling_between_the_steps_would_lose_it(
    publish: Publish, topic: str, bootstrap_servers: str
) -> None:
    """The same pause in the thread that polls costs the membership: the test above can fail."""
    publish(topic, documents(4))
    consumer = group.connect(Connection(bootstrap_servers), topic, INTERVAL_MS)
    try:
        consumer.subscribe([topic])
        wait_until(lambda: consumer.poll(timeout_ms=500))
        time.sleep(STEP_SECONDS)
        with pytest.raises(CommitFailedError):
            consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(4, "", -1)})
    finally:
        consumer.close()


def test_a_full_queue_pauses_and_loses_nothing(
    publish: Publish, topic: str, bootstrap_servers: str
) -> None:
    """However slowly records are taken, each comes once, in order, and memory stays bounded."""
    publish(topic, documents(200))
    with polling(bootstrap_servers, topic, capacity=8) as poller:
        offsets = []
        while len(offsets) < 200:
            record = poller.take(5)
            assert record is not None
            offsets.append(record.offset)
            assert len(poller._records) <= 16
        assert offsets == list(range(200))


def test_lost_partitions_take_their_queued_records_with_them(
    publish: Publish, topic: str, bootstrap_servers: str
) -> None:
    """A second member gets a partition; what was queued of it is read by its new owner only."""
    publish(topic, documents(40), partitions=2)
    with polling(bootstrap_servers, topic, capacity=100) as first:
        wait_until(lambda: len(first._records) == 40)
        with polling(bootstrap_servers, topic) as second:
            wait_until(lambda: len(first.assigned) == len(second.assigned) == 1)
            (kept,), (moved,) = first.assigned, second.assigned
            assert {record.partition for record in first._records} == {kept}
            record = second.take(30)
            assert record is not None
            assert (record.partition, record.offset) == (moved, 0)
            # A commit speaks only for what is still owned.
            first.commit({kept: 20, moved: 20}, "checkpoint")
            with pytest.raises(CommitFailedError):
                first.commit({moved: 20}, "checkpoint")
            reader = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=topic)
            assert reader.committed(TopicPartition(topic, kept)) == 20
            assert reader.committed(TopicPartition(topic, moved)) is None
            reader.close()


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_every_codec_of_kafka_is_read(
    publish: Publish, topic: str, bootstrap_servers: str, codec: str
) -> None:
    """However another producer compresses its records, they can be read."""
    publish(topic, [])
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, compression_type=codec)
    producer.send(topic, value=codec.encode() * 100).get(timeout=30)
    producer.close()
    with polling(bootstrap_servers, topic) as poller:
        record = poller.take(30)
        assert record is not None
        assert record.value == codec.encode() * 100


def test_lag_counts_what_was_not_fetched_yet(
    publish: Publish, topic: str, bootstrap_servers: str
) -> None:
    """Where the partition ends is known although the queue is full and nothing is fetched."""
    publish(topic, documents(10))
    with polling(bootstrap_servers, topic, capacity=4) as poller:
        wait_until(lambda: poller.ends.get(0) == 10)
        publish(topic, documents(30))
        wait_until(lambda: poller.ends.get(0) == 40)
