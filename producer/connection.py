"""The Kafka client of a publisher, which delivers each record once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource
from kafka.errors import KafkaError

from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.kafka import CONNECT_TIMEOUT_MS, Connection, admin
from newsreel.common.kafka_errors import heals
from newsreel.common.retrying import Waiting, retry
from newsreel.events.topics import Names
from producer.publisher import DeliveryError, PublishCounts, Publisher

DELIVERY_SECONDS = 60.0
"""Seconds to wait for the broker's acknowledgement; a broker restarts in less."""

CLOSE_SECONDS = 2.0

LINGER_MS = 20

BATCH_BYTES = 1 << 17

RECORD_BYTES = 1_048_588
"""Largest record that a topic accepts by Kafka's default, in bytes."""


def wait_for_kafka(connection: Connection) -> None:
    """Wait for a while until a broker answers.

    Raises
    ------
    UserError
        No broker answers, or the user can't sign in.
    """

    def attempt() -> None:
        with admin(connection):
            pass

    retry(attempt, Waiting("a broker"))


@contextmanager
def connect(
    connection: Connection,
    topics: Names,
    source: str,
    counts: PublishCounts,
    record_bytes: int = RECORD_BYTES,
    patience: float = DELIVERY_SECONDS,
    published: int = 0,
    stopping: Callable[[], bool] | None = None,
) -> Iterator[Publisher]:
    """Connect a publisher; the end of the ``with`` block flushes it.

    Parameters
    ----------
    connection
        Address of Kafka, and the security options of its clients.
    topics, source, counts, patience, published
        Arguments of `Publisher`.
    record_bytes
        Largest record that the topic accepts, in bytes. The client refuses larger ones: a refusal
        by the broker would end the idempotent client (kafka-python 3.0).
    stopping
        Returns whether the program is about to end, while it connects.

    Raises
    ------
    StoppedError
        The program is about to end, and has not connected.
    DeliveryError
        Some records could not be delivered.
    """
    patience_ms = round(patience * 1000)

    def attempt() -> KafkaProducer:
        return KafkaProducer(
            **connection.options,
            bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
            enable_idempotence=True,
            compression_type="gzip",
            batch_size=min(BATCH_BYTES, record_bytes),
            linger_ms=LINGER_MS,
            max_request_size=record_bytes,
            max_block_ms=patience_ms,
            delivery_timeout_ms=patience_ms,
            request_timeout_ms=patience_ms // 4,
        )

    need = Need((topics.documents,))
    client = retry(attempt, Waiting("sending", lambda: diagnose(connection, need)), stopping)
    publisher = Publisher(client, topics, source, counts, patience, published)
    try:
        with _flushed(publisher):
            yield publisher
    except DeliveryError as error:
        found = diagnose(connection, need)
        raise DeliveryError(f"{error}. Now: {found}" if found else str(error)) from error
    finally:
        if publisher.pending:
            client._sender.force_close()  # noqa: SLF001 - close() alone would wait for the broker
        with suppress(KafkaError):
            client.close(timeout=CLOSE_SECONDS)


@contextmanager
def _flushed(publisher: Publisher) -> Iterator[None]:
    """Flush a publisher when the ``with`` block ends, also for an error of the stream."""
    try:
        yield
    except DeliveryError:
        raise
    except Exception:
        publisher.flush()  # the documents before a broken row are right
        raise
    else:
        publisher.flush()


def largest_record(client: KafkaAdminClient, topic: str) -> int:
    """Return the largest record that a topic accepts, in bytes; Kafka's default if unknown."""
    name = "max.message.bytes"
    try:
        answer = client.describe_configs(
            [ConfigResource("topic", topic, {name: None})], config_filter="all"
        )
        return int(answer["topic"][topic][name]["value"])
    except KeyError:
        return RECORD_BYTES
    except KafkaError as error:
        if heals(error):
            raise
        return RECORD_BYTES  # the user may not read the topic's settings
