"""Connecting to Kafka, and creating and reading whole topics."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError

from newsreel.common.connecting import failures_of_connections, is_refusal
from newsreel.common.errors import UserError
from newsreel.common.oauth import TokenError, TokenProvider

CONNECT_TIMEOUT_MS = 10_000

RETRY_SECONDS = 1.0

KEEP = {"retention.ms": "-1", "retention.bytes": "-1"}
"""Settings of a topic whose records Kafka never deletes."""

T = TypeVar("T")

log = structlog.get_logger()


class BrokerUnreachableError(UserError):
    """No Kafka broker answered at the given address."""


class TopicMissingError(UserError):
    """A topic that must exist does not."""


class TopicCreationError(UserError):
    """The broker refused to create a missing topic."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Address of Kafka, and the security options of its clients.

    Parameters
    ----------
    bootstrap_servers
        Kafka brokers, ``host:port``, separated by commas.
    security
        Keyword arguments for any kafka-python client; kept out of ``repr``, as some are secret.
    """

    bootstrap_servers: str
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments for any kafka-python client."""
        return {"bootstrap_servers": self.bootstrap_servers, **self.security}

    def check_token(self) -> None:
        """Raise `TokenError` if clients sign in with a token and there is none."""
        provider: TokenProvider | None = self.security.get("sasl_oauth_token_provider")
        if provider is not None:
            provider.check()


@contextmanager
def admin(connection: Connection) -> Iterator[KafkaAdminClient]:
    """Connect an admin client until the ``with`` block ends.

    Raises
    ------
    BrokerUnreachableError
        No broker answered in time, the program that answered is no Kafka broker, or there is no
        token to sign in with.
    """
    address = connection.bootstrap_servers
    try:
        with failures_of_connections() as failures:
            connection.check_token()
            client = KafkaAdminClient(**connection.options, bootstrap_timeout_ms=CONNECT_TIMEOUT_MS)
    except TokenError as error:
        raise BrokerUnreachableError(f"can't sign in to Kafka at {address!r}: {error}") from error
    except (KafkaError, OSError, ValueError, AssertionError) as error:
        # The first failure: our own time limit may have cut the last attempt short.
        reason = f" ({' '.join(str(failures[0]).split())})" if failures else ""
        if failures and is_refusal(failures[0]):
            raise BrokerUnreachableError(
                f"can't sign in to Kafka at {address!r}{reason}; check the options --sasl-..., or"
                " the variables KAFKA_SASL_..."
            ) from error
        raise BrokerUnreachableError(
            f"no Kafka broker answers at {address!r}; start one, or name"
            f" another with --bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS{reason}"
        ) from error
    try:
        yield client
    finally:
        client.close()


def retry(action: Callable[[], T], stopping: Callable[[], bool]) -> T:
    """Call a function until the broker answers or the program is stopping.

    Parameters
    ----------
    action
        Function that talks to the broker.
    stopping
        Returns whether the program is about to end.

    Raises
    ------
    KafkaError, OSError
        The error can't be retried, or the program is stopping.
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
    """Return the partition numbers of a topic in order, none if the topic does not exist."""
    (description,) = client.describe_topics([topic])
    return sorted(partition["partition_index"] for partition in description["partitions"])


def require(client: KafkaAdminClient, topic: str) -> list[int]:
    """Return the partition numbers of a topic that must exist.

    Raises
    ------
    TopicMissingError
        The topic does not exist.
    """
    numbers = partitions(client, topic)
    if not numbers:
        raise TopicMissingError(
            f"topic {topic!r} does not exist; start the producer first, create the topic,"
            " or name another with --topic"
        )
    return numbers


def ensure(client: KafkaAdminClient, topic: str, count: int, *, keep: bool = False) -> list[int]:
    """Return the partition numbers of a topic; create the topic if it does not exist.

    Parameters
    ----------
    client
        Connected admin client.
    topic
        Name of the topic.
    count
        Number of partitions of a topic that has to be created.
    keep
        Whether a topic that has to be created keeps its records for ever; the others keep theirs
        as long as the broker's defaults say.

    Raises
    ------
    TopicCreationError
        The broker refuses to create the topic.
    """
    if numbers := partitions(client, topic):
        return numbers
    configs = KEEP if keep else {}
    wanted = {"num_partitions": count, "replication_factor": -1, "configs": configs}
    try:
        with suppress(TopicAlreadyExistsError):  # another program may create it meanwhile
            client.create_topics({topic: wanted})
        client.wait_for_topics([topic])
    except KafkaError as error:
        settings = "".join(f" {name}={value}" for name, value in configs.items())
        raise TopicCreationError(
            f"the broker does not create topic {topic!r}{settings and ' with' + settings}"
            f" ({type(error).__name__}); create it with"
            " Kafka's own tools, or ask the broker's administrator for the right to create topics"
        ) from error
    return partitions(client, topic)


def count(client: KafkaAdminClient, topic: str) -> int:
    """Count the records ever written to a topic: the sum of the end offsets of its partitions."""
    ends = client.list_partition_offsets(
        {TopicPartition(topic, number): OffsetSpec.LATEST for number in partitions(client, topic)}
    )
    return sum(end.offset for end in ends.values())


def read(connection: Connection, topic: str) -> Iterator[Any]:
    """Read a topic from its beginning to its present end, committed records only."""
    with admin(connection) as client:
        numbers = partitions(client, topic)
    consumer = KafkaConsumer(
        **connection.options,
        enable_auto_commit=False,
        isolation_level="read_committed",
        group_id=None,
    )
    assigned = [TopicPartition(topic, number) for number in numbers]
    consumer.assign(assigned)
    ends = consumer.end_offsets(assigned)
    consumer.seek_to_beginning()
    while any(consumer.position(partition) < ends[partition] for partition in assigned):
        for records in consumer.poll(timeout_ms=1000).values():
            yield from records
    consumer.close()
