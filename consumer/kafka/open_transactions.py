"""Find out who keeps a transaction open in a topic."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, NoError, for_code
from kafka.protocol.admin.transactions import DescribeProducersRequest, ListTransactionsRequest

from consumer.kafka.look import ANSWER_MS


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that is neither committed nor aborted."""

    producer: int
    """Id of its producer."""

    name: str | None
    """Transactional id; None if the broker does not say."""

    def __str__(self) -> str:
        """Return how a log names it."""
        name = f", transactional id {self.name!r}" if self.name is not None else ""
        return f"producer id {self.producer}{name}"


async def find_open(
    consumer: KafkaConsumer, topic: str, partitions: Iterable[int]
) -> dict[int, OpenTransaction]:
    """Return the oldest open transaction of each partition, as far as brokers say.

    Some brokers do not know these requests, and only users who may describe a transactional id see
    it.

    Parameters
    ----------
    consumer
        Client whose connections are used.
    topic
        Topic of the partitions.
    partitions
        Partitions with an open transaction.
    """
    manager, cluster = consumer._manager, consumer._cluster  # noqa: SLF001
    by_leader = defaultdict(list)
    for partition in partitions:
        by_leader[cluster.leader_for_partition(TopicPartition(topic, partition))].append(partition)
    producers: dict[int, int] = {}
    for leader, numbers in by_leader.items():
        of_topic = DescribeProducersRequest.TopicRequest(name=topic, partition_indexes=numbers)
        response = await _ask(manager, DescribeProducersRequest(topics=[of_topic]), leader)
        for found in response.topics[0].partitions if response is not None else ():
            oldest = _oldest(found)
            if oldest is not None:
                producers[found.partition_index] = oldest
    names = {}
    for broker in cluster.brokers() if producers else ():
        request = ListTransactionsRequest(
            state_filters=[], producer_id_filters=list(producers.values())
        )
        response = await _ask(manager, request, broker.node_id)
        for found in response.transaction_states if response is not None else ():
            names[found.producer_id] = found.transactional_id
    return {p: OpenTransaction(id_, names.get(id_)) for p, id_ in producers.items()}


def _oldest(partition: Any) -> int | None:
    """Return the id of the producer whose transaction began first; None without any."""
    if for_code(partition.error_code) is not NoError:
        return None
    began = {
        each.current_txn_start_offset: each.producer_id
        for each in partition.active_producers
        if each.current_txn_start_offset >= 0
    }
    producer: int | None = began[min(began)] if began else None
    return producer


async def _ask(manager: Any, request: Any, broker: int) -> Any:
    try:
        return await manager.wait_for(manager.call_soon(manager.send, request, broker), ANSWER_MS)
    except KafkaError:
        return None
