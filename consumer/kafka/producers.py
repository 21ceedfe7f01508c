"""Connect the producers that send the records of a commit, with a transaction or without."""

from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import InvalidTransactionTimeoutError, KafkaError

from newsreel.common.kafka import CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS, Connection
from newsreel.common.kafka_errors import cause

TRANSACTION_TIMEOUTS_MS = (120_000, 60_000, 30_000)
"""Longest time of a transaction; the next one where the broker allows less
(transaction.max.timeout.ms)."""

DELIVERY_TIMEOUT_MS = 15_000
"""After an outage, kafka-python 3.0 may forget to add a partition to the transaction and wait for
as long as this, so a short timeout lets the commit be tried again soon."""

RETRY_BACKOFF_MS = 20
"""kafka-python waits as long as this between the requests of one transaction, too: its default of
100 adds 0.2 s to each commit."""

MAX_REQUEST_BYTES = 64 << 20
"""Every record that the stream's broker accepted must fit; the broker enforces its own limit."""

CLOSE_SECONDS = 1.0


def connect(connection: Connection) -> KafkaProducer:
    """Connect a producer that works where no transactions are.

    Raises
    ------
    KafkaError
        The broker does not answer.
    """
    return _connect(connection, acks="all", enable_idempotence=False)


def connect_transactional(connection: Connection, transactional_id: str) -> KafkaProducer:
    """Connect a producer and open its transactional id, which fences the producers before it.

    Raises
    ------
    KafkaError
        The broker does not answer, or refuses.
    """
    timeouts = iter(TRANSACTION_TIMEOUTS_MS)
    timeout = next(timeouts)
    while True:
        producer = _connect(
            connection,
            transactional_id=transactional_id,
            transaction_timeout_ms=timeout,
            retry_backoff_ms=RETRY_BACKOFF_MS,
        )
        try:
            producer.init_transactions()
        except KafkaError as error:
            close(producer)
            too_long = isinstance(cause(error), InvalidTransactionTimeoutError)
            timeout = next(timeouts, 0)
            if not too_long or not timeout:
                raise
        else:
            return producer


def close(producer: KafkaProducer) -> None:
    """Close a producer; the next one with its id aborts a transaction that is left open."""
    with suppress(KafkaError):  # undelivered records were reported before
        producer.close(timeout=CLOSE_SECONDS)


def _connect(connection: Connection, **options: Any) -> KafkaProducer:
    return KafkaProducer(
        **connection.options,
        **options,
        bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
        max_block_ms=DELIVERY_TIMEOUT_MS,
        compression_type="gzip",
        max_request_size=MAX_REQUEST_BYTES,
    )
