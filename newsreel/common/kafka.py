"""Connecting to Kafka, and creating and reading whole topics."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from newsreel.common import creation
from newsreel.common.connecting import (
    describe,
    failures_of_connections,
    is_distrust,
    listens,
    refusal,
)
from newsreel.common.errors import UserError
from newsreel.common.oauth import TokenError, TokenProvider

CONNECT_TIMEOUT_MS = 10_000

REQUEST_TIMEOUT_MS = 10_000
"""Milliseconds until an administrative request counts as lost, so that it is tried elsewhere."""

LOOK_AGAIN_SECONDS = 1.0

KEEP = {"retention.ms": "-1", "retention.bytes": "-1"}
"""Settings of a topic whose records Kafka never deletes."""


class BrokerUnreachableError(UserError):
    """No Kafka broker answered at the given address."""

    heals = True


class SignInError(BrokerUnreachableError):
    """The brokers at the given address refuse the user."""

    heals = False


class CertificateError(BrokerUnreachableError):
    """The certificates of the brokers at the given address are not trusted."""

    heals = False


class TopicMissingError(UserError):
    """A topic that must exist does not."""


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

    @property
    def user(self) -> str:
        """The user for messages, without a secret."""
        name = self.security.get("sasl_plain_username")
        return f"user {name!r}" if name else "this user"

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
    SignInError
        The brokers refuse the user.
    CertificateError
        The brokers' certificates are not trusted.
    BrokerUnreachableError
        No broker answered in time, the program that answered is no Kafka broker, or there is no
        token to sign in with.
    """
    address = connection.bootstrap_servers
    try:
        with failures_of_connections() as failures:
            connection.check_token()
            client = KafkaAdminClient(
                **connection.options,
                bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            )
    except TokenError as error:
        raise BrokerUnreachableError(f"can't sign in to Kafka at {address!r}: {error}") from error
    except (KafkaError, OSError, ValueError, AssertionError) as error:
        reason = describe(failures)
        if refusal(failures):
            mechanism = connection.security.get("sasl_mechanism", "")
            raise SignInError(
                f"can't sign in to Kafka at {address!r}{reason}: the brokers refuse"
                f" {connection.user} with {mechanism}; check the options --sasl-..., or the"
                " variables KAFKA_SASL_..."
            ) from error
        if is_distrust(failures):
            raise CertificateError(
                f"the certificate of Kafka at {address!r} is not trusted{reason}; name the"
                " certificates of its authority with --ssl-cafile or KAFKA_SSL_CAFILE, or a host"
                " that the certificate is for with --bootstrap-servers"
            ) from error
        if listens(address):
            protocol = connection.security.get("security_protocol", "PLAINTEXT")
            raise BrokerUnreachableError(
                f"no Kafka broker answers at {address!r}, though a program listens there: another"
                f" program than Kafka, a broker that hangs, or one that wants another"
                f" --security-protocol than {protocol}{reason}"
            ) from error
        raise BrokerUnreachableError(
            f"no Kafka broker answers at {address!r}; start one, or name"
            f" another with --bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS{reason}"
        ) from error
    try:
        yield client
    finally:
        client.close()


def partitions(client: KafkaAdminClient, topic: str) -> list[int]:
    """Return the partition numbers of a topic in order, none if the topic does not exist.

    Raises
    ------
    KafkaError
        The user may not see the topic, or its name is invalid, or a broker is away.
    """
    (description,) = client.describe_topics([topic])
    kind = for_code(description["error_code"])
    if kind not in {NoError, UnknownTopicOrPartitionError}:
        raise kind({topic})
    return sorted(partition["partition_index"] for partition in description["partitions"])


def require(client: KafkaAdminClient, topic: str, user: str = "this user") -> list[int]:
    """Return the partition numbers of a topic that must exist.

    Raises
    ------
    TopicMissingError
        The topic does not exist, or the user may not see it.
    """
    with suppress(TopicAuthorizationFailedError):
        # A broker that starts may not know the topic yet, so that another one is asked, too.
        if numbers := partitions(client, topic) or _later(client, topic):
            return numbers
        raise TopicMissingError(
            f"topic {topic!r} does not exist; start the producer first, create the topic,"
            " or name another with --topic"
        )
    raise TopicMissingError(
        f"topic {topic!r} does not exist, or {user} may not see it; allow the user to describe and"
        " read the topic, create the topic, or name another with --topic"
    )


def _later(client: KafkaAdminClient, topic: str) -> list[int]:
    time.sleep(LOOK_AGAIN_SECONDS)
    return partitions(client, topic)


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
    FewBrokersError, KafkaError
        The topic can't be created now; another attempt may succeed.
    """
    if numbers := partitions(client, topic):
        return numbers
    creation.create(client, topic, count, KEEP if keep else {})
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
