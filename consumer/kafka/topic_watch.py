"""Look at the topic from time to time while it is read: its partitions, their ends, its id."""

import math
import time
from collections.abc import Collection, Mapping
from typing import Protocol

import structlog
from kafka.errors import KafkaError, LeaderNotAvailableError

from consumer.kafka.fetched import Trouble
from consumer.kafka.look import Look
from consumer.kafka.partition_watch import PartitionStates, PartitionWatch
from consumer.kafka.record_queue import IN_TOUCH_SECONDS, RecordQueue
from consumer.kafka.topic_client import TopicClient
from consumer.kafka.topic_identity import TopicIdentity
from newsreel.common.kafka_errors import explain, heals

log = structlog.get_logger()


class PartitionObserver(Protocol):
    """Exports the states of partitions."""

    def partitions_seen(self, topic: str, states: PartitionStates) -> None:
        """Export how many partitions of a topic are in which state."""
        ...


class TopicWatch:
    """Asks how the topic is, without waiting for the answer, and passes the answer to the queue.

    Parameters
    ----------
    client
        Client of the topic.
    queue
        Queue that the client fills.
    observer
        Exports the states of partitions.
    seconds
        Seconds between two questions.
    topic_id
        Id of the topic that is read; None if it is not known.
    """

    def __init__(
        self,
        client: TopicClient,
        queue: RecordQueue,
        observer: PartitionObserver,
        seconds: float,
        topic_id: str | None,
    ) -> None:
        self._client = client
        self._queue = queue
        self._observer = observer
        self._seconds = seconds
        self._partitions = PartitionWatch(client.topic)
        self._identity = TopicIdentity(client.topic, topic_id)
        self._next = -math.inf
        self._away = False

    @property
    def doubtful(self) -> bool:
        """Whether the topic seems to be gone, or another one: nothing may be fetched."""
        return self._identity.problem is not None

    @property
    def stalled(self) -> bool:
        """Whether a partition is not fetched although records wait."""
        return bool(self._partitions.trouble.stalled)

    def notices(self) -> Collection[str]:
        """Return what is wrong with partitions that can be read."""
        return self._partitions.states.notices

    def problem(self) -> str | None:
        """Return why some records can't arrive now, or None."""
        if self._identity.problem is not None:
            return self._identity.problem
        if self._queue.silence >= IN_TOUCH_SECONDS:
            return "the broker does not answer"
        return "; ".join(self._partitions.states.problems) or None

    def look(self) -> None:
        """Take the answer to the last question if it is there, and ask the next one in time.

        Raises
        ------
        TopicGoneError
            The topic was deleted, or deleted and created again.
        KafkaError
            The broker refuses to answer.
        """
        try:
            look = self._client.answer()
            if look is not None:
                self._see(look)
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + self._seconds
                self._client.ask(self._client.positions(self._queue.partitions))
        except KafkaError as error:  # the last answer stands
            if not heals(error):
                raise
            if not self._away:
                log.warning("the broker does not answer", reason=explain(error))
            self._away = True
            self._partitions.lose_touch()

    def inspect(self) -> Look:
        """Ask how the topic is, and wait for the answer.

        Raises
        ------
        TopicGoneError
            The topic was deleted, or deleted and created again.
        KafkaError
            No broker answers, or the topic seems to be gone.
        """
        look = self._client.look(self._client.positions(self._queue.partitions))
        self._identity.check(look)
        if self.doubtful:
            raise LeaderNotAvailableError(self._client.topic)
        return look

    def assign(self, added: Mapping[int, int]) -> None:
        """Read some partitions from their positions on, beside those that are read already."""
        self._client.assign(added)
        self._queue.set_positions(added)

    def _see(self, look: Look) -> None:
        if self._away:
            log.info("the broker answers again")
        self._away = False
        self._identity.check(look)
        added = look.partitions.keys() - self._queue.partitions - look.leaderless
        if added and not self.doubtful and (beginnings := self._client.beginnings(added)):
            log.info("partitions added", partitions=sorted(beginnings))
            self.assign(beginnings)
        if unnamed := self._partitions.unnamed:
            self._partitions.name(unnamed, self._client.open_transactions(unnamed))
        positions = self._client.positions(self._queue.partitions)
        self._partitions.observe(look, positions, self._queue.missing)
        self._observer.partitions_seen(self._client.topic, self._partitions.states)
        known = look.ends.keys() & positions.keys()
        trouble = self._partitions.trouble
        if self.doubtful:  # these are the ends of another topic: the stream is not idle
            known, trouble = set(), Trouble(unanswered=self._queue.partitions)
        self._queue.set_ends(
            {p: look.ends[p].stable for p in known},
            positions,
            look.asked,
            {p: look.ends[p].high for p in known},
            trouble,
        )
