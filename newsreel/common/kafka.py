"""A Kafka connection that is there, and topics that exist."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError

from newsreel.common.errors import UserError

CONNECT_TIMEOUT_MS = 10_000

RETRY_SECONDS = 1.0

T = TypeVar("T")

log = structlog.get_logger()


class BrokerUnreachableError(UserError):
    """No broker answered at the given address."""


class TopicMissingError(UserError):
    """A topic that must be there is not."""


class TopicCreationError(UserError):
    """A missing topic can't be created."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where Kafka is, and how to be let in.

    Parameters
    ----------
    bootstrap_servers
        Kafka brokers, ``host:port``, separated by commas.
    security
        Keyword arguments that any kafka-python client takes; not shown, as some are secret.
    """

    bootstrap_servers: str
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments for any kafka-python client."""
        return {"bootstrap_servers": self.bootstrap_servers, **self.security}


@contextmanager
def admin(connection: Connection) -> Iterator[KafkaAdminClient]:
    """Connect to a broker, or say that none is there.

    Raises
    ------
    BrokerUnreachableError
        No broker answered in time, or what answered is no Kafka broker.
    """
    try:
        with _listening() as failures:
            client = KafkaAdminClient(**connection.options, bootstrap_timeout_ms=CONNECT_TIMEOUT_MS)
    except (KafkaError, OSError, ValueError, AssertionError) as error:
        # The last one may be cut short by our own time limit.
        reason = f" ({failures[0]})" if failures else ""
        raise BrokerUnreachableError(
            f"no Kafka broker answers at {connection.bootstrap_servers!r}; start one, or name"
            f" another with --bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS{reason}"
        ) from error
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _listening() -> Iterator[Sequence[str]]:
    """Collect why attempts to connect fail, which the client tells nobody but its log."""
    failures: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            match record.args:
                case (_, KafkaError() as reason, *_):
                    failures.append(" ".join(str(reason).split()))

    logger = logging.getLogger("kafka.net.manager")
    before = logger.level, logger.propagate
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.addHandler(collector := Collector())
    try:
        yield failures
    finally:
        logger.removeHandler(collector)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def retry(action: Callable[[], T], stopping: Callable[[], bool]) -> T:
    """Try something again while the broker does not answer, until told to stop.

    Raises
    ------
    KafkaError, OSError
        It makes no sense to try again, or it is time to stop.
    """
    while True:
        try:
            return action()
        except (KafkaError, OSError) as error:
            if stopping() or not getattr(error, "retriable", True):
                raise
            log.warning("the broker does not answer, trying again", error=str(error))
            time.sleep(RETRY_SECONDS)


def partitions(client: KafkaAdminClient, topic: str) -> list[int]:
    """Partition numbers of a topic, in order; none where there is no such topic."""
    (description,) = client.describe_topics([topic])
    return sorted(partition["partition_index"] for partition in description["partitions"])


def require(client: KafkaAdminClient, topic: str) -> list[int]:
    """Partition numbers of a topic that must be there.

    Raises
    ------
    TopicMissingError
        There is no such topic.
    """
    found = partitions(client, topic)
    if not found:
        raise TopicMissingError(
            f"topic {topic!r} does not exist; start the producer first, create the topic,"
            " or name another with --topic"
        )
    return found


def ensure(client: KafkaAdminClient, topic: str, count: int) -> list[int]:
    """Partition numbers of a topic, which is created where it is missing.

    Raises
    ------
    TopicCreationError
        The broker refuses to create it.
    """
    if found := partitions(client, topic):
        return found
    try:
        with suppress(TopicAlreadyExistsError):  # somebody else may be faster
            client.create_topics({topic: {"num_partitions": count, "replication_factor": -1}})
        client.wait_for_topics([topic])
    except KafkaError as error:
        raise TopicCreationError(
            f"the broker does not create topic {topic!r} ({type(error).__name__}); create it with"
            " Kafka's own tools, or ask whoever runs the broker for the right to"
        ) from error
    return partitions(client, topic)


def count(client: KafkaAdminClient, topic: str) -> int:
    """Count the records ever written to a topic: the ends of its partitions, added up."""
    ends = client.list_partition_offsets(
        {TopicPartition(topic, number): OffsetSpec.LATEST for number in partitions(client, topic)}
    )
    return sum(end.offset for end in ends.values())


def read(connection: Connection, topic: str) -> Iterator[Any]:
    """Read the records of a topic that are there now, without those of unfinished transactions."""
    with admin(connection) as client:
        numbers = partitions(client, topic)
    consumer = KafkaConsumer(
        **connection.options,
        enable_auto_commit=False,
        isolation_level="read_committed",
        group_id=None,
    )
    owned = [TopicPartition(topic, number) for number in numbers]
    consumer.assign(owned)
    ends = consumer.end_offsets(owned)
    consumer.seek_to_beginning()
    while any(consumer.position(tp) < ends[tp] for tp in owned):
        found = consumer.poll(timeout_ms=1000)
        for records in found.values():
            yield from records
    consumer.close()
