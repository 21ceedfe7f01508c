"""A topic is read while a cluster loses brokers, records and the topic itself."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers import CountPolls
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.cluster import ClusterMetadata

from consumer.kafka import partition_watch, topic_identity
from consumer.kafka.client import connect
from consumer.kafka.lost_records import LostOffsets
from consumer.kafka.poll_errors import PollError
from consumer.kafka.poller import Poller
from consumer.kafka.topic_client import TopicClient
from consumer.kafka.topic_identity import TopicGoneError
from harness.apache import ApacheKafka
from harness.apache_broker import ApacheBroker
from newsreel.common import kafka
from newsreel.common.kafka import Connection


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_watch, "HELD_SECONDS", 1.0)
    monkeypatch.setattr(topic_identity, "SURE_SECONDS", 2.0)
    monkeypatch.setitem(ClusterMetadata.DEFAULT_CONFIG, "allow_auto_create_topics", False)


@contextmanager
def reading(
    servers: str,
    topic: str,
    positions: Mapping[int, int],
    lost_offsets: LostOffsets = "stop",
    observer: CountPolls | None = None,
) -> Iterator[Poller]:
    def client() -> KafkaConsumer:
        return connect({"bootstrap_servers": servers})

    poller = Poller(
        TopicClient(client(), topic, client),
        positions,
        1000,
        lost_offsets,
        observer or CountPolls(),
        look_seconds=0.5,
    )
    poller.start()
    try:
        yield poller
    finally:
        poller.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Return what closes a poller at the end of a test."""
    with ExitStack() as found:
        yield found


@contextmanager
def killed(broker: ApacheBroker) -> Iterator[None]:
    broker.kill()
    try:
        yield
    finally:
        broker.start()


def create(servers: str, topic: str, partitions: int, replicas: int = 1, **configs: str) -> None:
    with kafka.admin(Connection(servers)) as admin:
        wanted = {"num_partitions": partitions, "replication_factor": replicas, "configs": configs}
        admin.create_topics({topic: wanted})
        admin.wait_for_topics([topic])


def send(servers: str, topic: str, partition: int, count: int) -> None:
    producer = KafkaProducer(bootstrap_servers=servers, acks=1)
    for number in range(count):
        producer.send(topic, value=str(number).encode(), partition=partition)
    producer.flush(30)
    producer.close()


def leader(cluster: ApacheKafka, topic: str, partition: int) -> ApacheBroker:
    with kafka.admin(Connection(cluster.bootstrap_servers)) as admin:
        (found,) = admin.describe_topics([topic])
    (id_,) = [p["leader_id"] for p in found["partitions"] if p["partition_index"] == partition]
    return next(broker for broker in cluster.brokers if broker.number == id_)


def take(poller: Poller, count: int) -> list[tuple[int, int]]:
    places = []
    for _ in range(count):
        record = poller.queue.take(40)
        assert record is not None, poller.not_ready()
        places.append((record.partition, record.offset))
    return places


def wait_until(condition: Callable[[], Any], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_partition_without_a_leader(cluster: ApacheKafka, topic: str) -> None:
    """Other partitions are read while one has no leader; it is named, and read again later."""
    servers = cluster.bootstrap_servers
    create(servers, topic, 3)
    for partition in range(3):
        send(servers, topic, partition, 5)
    away = leader(cluster, topic, 1)
    with reading(servers, topic, {0: 0, 1: 0, 2: 0}) as poller:
        take(poller, 15)
        wait_until(lambda: poller.queue.in_touch)
        with killed(away):
            wait_until(lambda: f"partition 1 of {topic!r} has no leader" in str(poller.not_ready()))
            assert not poller.queue.in_touch
            for partition in (0, 2):
                send(servers, topic, partition, 5)
            assert {partition for partition, _ in take(poller, 10)} == {0, 2}
            assert poller.problem() is None
        wait_until(lambda: poller.not_ready() is None)
        send(servers, topic, 1, 5)
        assert take(poller, 5) == [(1, offset) for offset in range(5, 10)]
        wait_until(lambda: poller.queue.in_touch)


@pytest.mark.parametrize("positions", [{0: 0}, {}], ids=["known", "unknown"])
def test_no_partition_has_a_leader_at_the_start(
    cluster: ApacheKafka, topic: str, stack: ExitStack, positions: Mapping[int, int]
) -> None:
    """A poller that starts while no partition has a leader waits, and reads them all later."""
    servers = cluster.bootstrap_servers
    create(servers, topic, 1)
    send(servers, topic, 0, 5)
    away = leader(cluster, topic, 0)
    with killed(away):
        others = ",".join(each.address for each in cluster.brokers if each is not away)
        poller = stack.enter_context(reading(others, topic, positions))
        wait_until(lambda: "has no leader" in str(poller.not_ready()))
        assert not poller.queue.in_touch
        assert poller.queue.take(1) is None
    assert take(poller, 5) == [(0, offset) for offset in range(5)]
    wait_until(lambda: poller.queue.in_touch)


def test_open_transaction(broker: ApacheKafka, topic: str) -> None:
    """Records behind an open transaction are lag, and the stream is not idle; both are named."""
    servers = broker.bootstrap_servers
    create(servers, topic, 1)
    producer = KafkaProducer(bootstrap_servers=servers, transactional_id=f"{topic}-open")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, value=b"held").get(timeout=30)
    send(servers, topic, 0, 1000)
    observer = CountPolls()
    with reading(servers, topic, {0: 0}, observer=observer) as poller:
        wait_until(lambda: "holds back 1001 records of partition 0" in str(poller.not_ready()))
        assert f"transactional id '{topic}-open'" in str(poller.not_ready())
        assert poller.queue.lag({0: 0}) == {0: 1001}
        assert not poller.queue.in_touch
        assert observer.seen[-1].records_held_back == 1001
        producer.commit_transaction()
        take(poller, 1001)
        wait_until(lambda: poller.queue.in_touch)
        assert poller.queue.lag({0: 1001}) == {0: 0}  # the marker is no record
        wait_until(lambda: poller.not_ready() is None)
    producer.close()


@pytest.mark.parametrize(("again", "message"), [(0, "is gone"), (1, "created again")])
def test_deleted_topic(tmp_path: Path, topic: str, again: int, message: str) -> None:
    """A topic that is deleted ends reading, not idly; the client does not create it again."""
    with ApacheKafka(tmp_path, properties={"auto.create.topics.enable": "true"}) as kafka_:
        servers = kafka_.bootstrap_servers
        create(servers, topic, 1)
        send(servers, topic, 0, 5)
        with reading(servers, topic, {0: 0}) as poller:
            take(poller, 5)
            wait_until(lambda: poller.queue.in_touch)
            with kafka.admin(Connection(servers)) as admin:
                admin.delete_topics([topic])
            if again:
                time.sleep(0.5)
                create(servers, topic, 1)
            wait_until(lambda: message in str(poller.not_ready()))
            wait_until(lambda: not poller.queue.in_touch, 1)
            with pytest.raises(TopicGoneError, match=message):
                poller.queue.take(40)
        with kafka.admin(Connection(servers)) as admin:
            assert admin.list_topics().count(topic) == again


@pytest.mark.parametrize("lost_offsets", ["stop", "continue"])
def test_unclean_election(
    cluster: ApacheKafka, topic: str, lost_offsets: LostOffsets, stack: ExitStack
) -> None:
    """Records that an unclean election removes end reading, or are counted and skipped."""
    servers = cluster.bootstrap_servers
    uncleanly = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}
    create(servers, topic, 1, replicas=2, **uncleanly)
    send(servers, topic, 0, 5)
    first = leader(cluster, topic, 0)
    second = follower(cluster, topic, first)
    observer = CountPolls()
    poller = stack.enter_context(reading(servers, topic, {0: 0}, lost_offsets, observer))
    take(poller, 5)
    with killed(second):
        send(servers, topic, 0, 3)
        take(poller, 3)
        first.kill()
    try:
        if lost_offsets == "stop":
            with pytest.raises(PollError, match="now ends at 5, before the position 8"):
                poller.queue.take(60)
        else:
            wait_until(lambda: observer.records == 3)
            assert poller.queue.past_gap(0, 8) == 5
            send(servers, topic, 0, 2)
            assert take(poller, 2) == [(0, 5), (0, 6)]
    finally:
        first.start()


def follower(cluster: ApacheKafka, topic: str, first: ApacheBroker) -> ApacheBroker:
    with kafka.admin(Connection(cluster.bootstrap_servers)) as admin:
        (found,) = admin.describe_topics([topic])
    (id_,) = set(found["partitions"][0]["replica_nodes"]) - {first.number}
    return next(broker for broker in cluster.brokers if broker.number == id_)


def test_client_that_no_longer_fetches(
    broker: ApacheKafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition that a client has ceased to fetch is named, and another client reads on."""
    monkeypatch.setattr(partition_watch, "STALLED_SECONDS", 3.0)
    servers = broker.bootstrap_servers
    create(servers, topic, 2)
    with reading(servers, topic, {0: 0, 1: 0}) as poller:
        wait_until(lambda: poller.queue.in_touch)
        poller._client._consumer.pause(TopicPartition(topic, 1))
        send(servers, topic, 0, 5)
        send(servers, topic, 1, 300)
        take(poller, 5)
        wait_until(lambda: "is not fetched, though 300 records" in str(poller.not_ready()))
        assert not poller.queue.in_touch
        assert {partition for partition, _ in take(poller, 300)} == {1}
        wait_until(lambda: poller.not_ready() is None)
