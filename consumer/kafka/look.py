"""Ask the brokers how a topic is: its id, the leaders of its partitions, and where they end."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from kafka import KafkaConsumer
from kafka.errors import (
    BrokerResponseError,
    KafkaError,
    NoError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.protocol.consumer import IsolationLevel, ListOffsetsRequest, OffsetSpec

ANSWER_MS = 2_000
"""Milliseconds to wait for the answer of a broker to one question."""

DESCRIBE_SECONDS = 2.0
"""Seconds between two questions for the partitions and their leaders."""


class Ends(NamedTuple):
    """Where a partition ends."""

    stable: int
    """Offset up to which committed records can be read: the first open transaction begins there."""

    high: int
    """Offset after the last record that all replicas in sync have, its transaction open or not."""


class Replicas(NamedTuple):
    """The brokers that have a partition."""

    leader: str | None
    """Number and address of the leader; None without one."""

    brokers: int
    """Number of replicas."""

    in_sync: int
    """Number of replicas that have all records."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the brokers say about a topic."""

    asked: float
    """When they were asked, in seconds of the monotonic clock."""

    id: str | None
    """Id of the topic; None from brokers without such ids, and of a topic that does not exist."""

    partitions: Mapping[int, Replicas]
    """Replicas by partition; empty if the topic does not exist."""

    ends: Mapping[int, Ends] = field(default_factory=dict)
    """Ends by partition, of those whose leader has answered."""

    refusals: Mapping[int, str] = field(default_factory=dict)
    """Names of errors by partition, of those whose leader has refused to answer."""

    @property
    def leaderless(self) -> set[int]:
        """Partitions without a leader."""
        return {number for number, replicas in self.partitions.items() if replicas.leader is None}


class Observatory:
    """Asks about one topic over the connections of a client, in that client's own thread.

    One request goes to any broker, at most each `DESCRIBE_SECONDS`, and one to each leader; of
    partitions that are not read to their end, leaders are asked twice. A leader that does not
    answer, or answers with an error, delays and hides its own partitions only.

    Parameters
    ----------
    consumer
        Client whose connections are used.
    topic
        Topic to ask about.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        # kafka-python has no public call that asks leaders one by one.
        self._manager = consumer._manager  # noqa: SLF001
        self._cluster = consumer._cluster  # noqa: SLF001
        self._topic = topic
        self._described: tuple[float, str | None, Mapping[int, Replicas]] | None = None
        self._leaders: dict[int, int] = {}
        self._asking: dict[int, Any] = {}

    def forget(self) -> None:
        """Ask for the partitions and their leaders at the next look."""
        self._described = None

    async def look(self, positions: Mapping[int, int]) -> Look:
        """Ask for the topic, its partitions and their ends.

        Parameters
        ----------
        positions
            Next offset to read, by partition.

        Raises
        ------
        KafkaError
            No broker answers, or it refuses to describe the topic.
        """
        asked = time.monotonic()
        if self._described is None or asked - self._described[0] >= DESCRIBE_SECONDS:
            self._described = (asked, *await self._describe())
        _, id_, partitions = self._described
        refusals: dict[int, str] = {}
        high = await self._offsets(self._leaders, IsolationLevel.READ_UNCOMMITTED, refusals)
        behind = [p for p, end in high.items() if positions.get(p, -1) < end]
        stable = await self._offsets(behind, IsolationLevel.READ_COMMITTED, refusals)
        ends = {
            p: Ends(min(end, stable.get(p, end)), end)
            for p, end in high.items()
            if p in stable or p not in behind
        }
        return Look(asked, id_, partitions, ends, refusals)

    async def beginnings(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the first offset of partitions, of those whose leader answers."""
        return await self._offsets(
            partitions, IsolationLevel.READ_UNCOMMITTED, {}, OffsetSpec.EARLIEST
        )

    async def _describe(self) -> tuple[str | None, Mapping[int, Replicas]]:
        self._cluster.add_topic(self._topic)  # a client without partitions forgets the topic
        request = self._cluster.metadata_request()
        response = await self._answer(self._manager.send(request))
        self._cluster.update_metadata(response)
        found = next(topic for topic in response.topics if topic.name == self._topic)
        error = for_code(found.error_code)
        if error not in (NoError, UnknownTopicOrPartitionError):
            raise error(self._topic)
        self._leaders = {}
        partitions = {}
        for each in found.partitions or ():
            broker = self._cluster.broker_metadata(each.leader_id)
            if broker is not None:
                self._leaders[each.partition_index] = each.leader_id
            leader = broker and f"{broker.node_id} at {broker.host}:{broker.port}"
            partitions[each.partition_index] = Replicas(
                leader, len(each.replica_nodes), len(each.isr_nodes)
            )
        id_ = found.topic_id if partitions else None
        return str(id_) if id_ not in (None, UUID(int=0)) else None, partitions

    async def _offsets(
        self,
        partitions: Iterable[int],
        isolation: IsolationLevel,
        refusals: dict[int, str],
        spec: OffsetSpec = OffsetSpec.LATEST,
    ) -> dict[int, int]:
        """Ask all leaders at once; note the errors of those that refuse to answer."""
        by_leader = defaultdict(list)
        for partition in partitions:
            if partition in self._leaders:
                by_leader[self._leaders[partition]].append(partition)
        questions = []
        for leader, numbers in by_leader.items():
            earlier = self._asking.get(leader)
            if earlier is not None and not earlier.is_done:
                continue  # a leader that hangs is not asked again
            request = _list_offsets(self._topic, numbers, isolation, spec)
            self._asking[leader] = self._manager.call_soon(self._manager.send, request, leader)
            questions.append(self._asking[leader])
        offsets = {}
        for question in questions:
            try:
                response = await self._answer(question)
            except KafkaError:
                continue  # the client connects again, and finds another leader
            for found in response.topics[0].partitions:
                error = for_code(found.error_code)
                if error is NoError:
                    offsets[found.partition_index] = found.offset
                elif issubclass(error, BrokerResponseError):
                    refusals[found.partition_index] = error.message
        return offsets

    async def _answer(self, question: Any) -> Any:
        return await self._manager.wait_for(question, ANSWER_MS)


def _list_offsets(
    topic: str, numbers: list[int], isolation: IsolationLevel, spec: OffsetSpec
) -> ListOffsetsRequest:
    of_topic = ListOffsetsRequest.ListOffsetsTopic
    of_partition = of_topic.ListOffsetsPartition
    partitions = [
        of_partition(partition_index=n, current_leader_epoch=-1, timestamp=spec) for n in numbers
    ]
    return ListOffsetsRequest(
        isolation_level=isolation,
        topics=[of_topic(name=topic, partitions=partitions)],
        min_version=ListOffsetsRequest.min_version_for_isolation_level(isolation),
    )
