"""Commit predictions and offsets in one Kafka transaction that names the checkpoint."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import CheckpointError
from consumer.kafka.offsets import FRESH, checkpoint_id, committed
from consumer.kafka.outbox import Outgoing, send, shortened
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

TRANSACTION_TIMEOUT_MS = 120_000

REQUEST_TIMEOUT_MS = 10_000

DELIVERY_TIMEOUT_MS = 15_000
"""After an outage, kafka-python 3.0 may forget to add a partition to the transaction and wait for
as long as this, so a short timeout lets the commit be tried again soon."""

RETRY_BACKOFF_MS = 20
"""kafka-python waits as long as this between the requests of one transaction, too: its default of
100 adds 0.2 s to each commit."""

MAX_REQUEST_BYTES = 64 << 20
"""Every record that the stream's broker accepted must fit; the broker enforces its own limit."""

REFUSALS = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

FLUSH_BYTES = 1 << 20
"""Bytes sent before a flush: the client gives up records that wait longer than its timeout."""

RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts; the last value repeats."""

PART_BYTES = (900_000, 300_000, 64 << 10)
"""Largest key, value or headers of a record after the broker has refused a size once, twice, and
three times."""

CLOSE_SECONDS = 1.0

log = structlog.get_logger()


class SupersededError(UserError):
    """Another consumer has taken over the group."""


class RefusedError(UserError):
    """The broker refuses the transaction."""


class AbandonedError(UserError):
    """The broker did not accept a commit before the consumer had to end."""


class TransactionObserver(Protocol):
    """Counts what happens to transactions; called by the thread that commits."""

    def commit_retried(self) -> None:
        """Count a commit that failed at the broker."""
        ...


class Transactions:
    """Commits records and offsets of a consumer group, all or none of them.

    The transactional id is made of group and topic: a consumer that opens it fences all consumers
    that opened it before. Topic names have no slash, so different pairs have different ids.

    Parameters
    ----------
    connection
        Broker of the topic.
    group, topic
        Consumer group, and the topic of documents that it reads.
    interrupts
        ``fenced`` is checked before other consumers are fenced; once ``overdue``, a commit is not
        tried again; the failpoints are "transaction-begun" and "transaction-sent".
    observer
        Counts failed attempts.
    """

    def __init__(
        self,
        connection: Connection,
        group: str,
        topic: str,
        interrupts: Interrupts,
        observer: TransactionObserver,
    ) -> None:
        self._connection = connection
        self._group = group
        self._topic = topic
        self._interrupts = interrupts
        self._observer = observer
        self._producer: KafkaProducer | None = None
        self._last: str | None = None

    def open(self) -> Mapping[int, OffsetAndMetadata]:
        """Fence other consumers, abort their open transactions and return the committed offsets.

        Returns
        -------
        Mapping
            Committed offsets by partition, without partitions that have none. Their metadata is
            the id of a checkpoint.
        """
        self.close()
        self._producer = KafkaProducer(
            **self._connection.options,
            transactional_id=f"newsreel/{self._group}/{self._topic}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            max_block_ms=DELIVERY_TIMEOUT_MS,
            compression_type="gzip",
            max_request_size=MAX_REQUEST_BYTES,
        )
        self._producer.init_transactions()
        offsets = committed(self._connection, self._group, self._topic)
        self._last = checkpoint_id(offsets)
        return offsets

    def begin(self) -> Mapping[int, OffsetAndMetadata]:
        """Open, trying again while the broker is away; returns the committed offsets.

        Raises
        ------
        SupersededError, RefusedError, AbandonedError
        """
        for wait in _waits():
            try:
                return self.open()
            except (KafkaError, OSError) as error:
                self._recover("at the start", error)
                if self._interrupts.fenced():
                    raise superseded(self._group) from error
                time.sleep(wait)
        raise AssertionError

    def commit(
        self,
        records: Sequence[Outgoing],
        positions: Mapping[int, int],
        id_: str,
        exists: Callable[[], bool] = lambda: True,
    ) -> None:
        """Commit records and positions, trying again while the broker is away.

        Parameters
        ----------
        records
            Records to send.
        positions
            Next offset to read, by partition.
        id_
            Id of the checkpoint that belongs to the positions; becomes their metadata.
        exists
            Returns whether the checkpoint still exists; checked before another attempt.

        Raises
        ------
        SupersededError
            Another consumer has taken over; nothing was committed.
        RefusedError
            The broker refuses the transaction.
        CheckpointError
            The checkpoint was deleted.
        AbandonedError
            The time to end came before the broker accepted the commit.
        """
        offsets = {
            TopicPartition(self._topic, partition): OffsetAndMetadata(offset, id_, -1)
            for partition, offset in positions.items()
        }
        limits = iter(PART_BYTES)
        for wait in _waits():
            try:
                if self._producer is None and self._resume(id_, exists):
                    return
                self._attempt(self._producer, records, offsets)
            except (KafkaError, OSError) as error:
                if isinstance(error, MessageSizeTooLargeError) and (limit := next(limits, None)):
                    records = [shortened(record, limit) for record in records]
                self._recover(id_, error)
                time.sleep(wait)
            else:
                self._last = None if id_ == FRESH else id_
                return

    def close(self) -> None:
        """Close the connection; the next `open` aborts a transaction that is left open."""
        if self._producer is not None:
            with suppress(KafkaError):  # undelivered records were reported before
                self._producer.close(timeout=CLOSE_SECONDS)
            self._producer = None

    def _attempt(
        self,
        producer: Any,
        records: Sequence[Outgoing],
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
    ) -> None:
        producer.begin_transaction()
        self._interrupts.failpoint("transaction-begun")
        for part in _parts(records):
            deliveries = [send(producer, record) for record in part]
            producer.flush()
            for delivery in deliveries:
                delivery.get(timeout=0.0)  # raises why a record was refused
        producer.send_offsets_to_transaction(offsets, self._group)
        self._interrupts.failpoint("transaction-sent")
        producer.commit_transaction()

    def _recover(self, id_: str, error: Exception) -> None:
        self.close()
        self._observer.commit_retried()
        if isinstance(error, REFUSALS):
            raise RefusedError(
                f"Kafka refuses a transaction of group {self._group!r} ({error}); allow its user to"
                " write the topics of predictions, drift and dead letters, to read the group, and"
                " to write its transactional id, then start again"
            ) from error
        if self._interrupts.overdue():
            raise AbandonedError(
                f"the broker did not accept the commit of checkpoint {id_} ({error}); start again:"
                " documents since the last commit will be learned again"
            ) from error
        log.warning("commit failed, trying again", checkpoint=id_, error=str(error))

    def _resume(self, id_: str, exists: Callable[[], bool]) -> bool:
        """Open again after a failure; returns whether the failed commit was accepted after all."""
        if self._interrupts.fenced():
            raise superseded(self._group)
        last = self._last
        self.open()
        # Opening may have taken long. A consumer that took over meanwhile was fenced by it, will
        # open again, and may have deleted the uncommitted checkpoint.
        if self._interrupts.fenced() or self._last not in {last, id_}:
            raise superseded(self._group)
        if not exists():
            raise CheckpointError(f"checkpoint {id_} was deleted before it could be committed")
        return self._last == id_


def superseded(group: str) -> SupersededError:
    """Build the error of a consumer from which another one has taken over."""
    return SupersededError(
        f"another consumer has taken over group {group!r}; this consumer has committed nothing"
        " since: start it again to stand by"
    )


def _parts(records: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Split records into parts of about `FLUSH_BYTES`."""
    part: list[Outgoing] = []
    size = 0
    for record in records:
        part.append(record)
        size += record.size
        if size >= FLUSH_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _waits() -> Iterator[float]:
    yield from RETRY_SECONDS
    while True:
        yield RETRY_SECONDS[-1]
