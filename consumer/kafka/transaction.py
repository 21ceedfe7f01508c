"""The Kafka transaction that makes learning and predictions final together."""

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
from consumer.kafka.offsets import FRESH, committed, named
from consumer.kafka.outbox import Outgoing, send, shortened
from newsreel.common.errors import UserError
from newsreel.common.kafka import Connection

TRANSACTION_TIMEOUT_MS = 120_000

REQUEST_TIMEOUT_MS = 10_000

DELIVERY_TIMEOUT_MS = 15_000
"""After an outage, kafka-python 3.0 may forget to add a partition to the transaction, and wait for
itself as long as this: a commit is better tried again soon."""

MAX_REQUEST_BYTES = 64 << 20
"""Whatever the stream's broker took must fit; the broker has the last word."""

REFUSALS = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

FLUSH_BYTES = 1 << 20
"""So much is sent at a time: records that wait longer than the delivery timeout are given up."""

RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""Between tries; the last one goes on."""

PART_BYTES = (900_000, 300_000, 64 << 10)
"""Largest parts of records sent, after the broker has refused a size once, twice, often."""

CLOSE_SECONDS = 1.0

log = structlog.get_logger()


class SupersededError(UserError):
    """Another consumer has taken over."""


class RefusedError(UserError):
    """The broker does not allow the transaction."""


class AbandonedError(UserError):
    """The broker did not take a commit before the consumer had to end."""


class TransactionObserver(Protocol):
    """Counts what happens to transactions; called by the thread that commits."""

    def commit_retried(self) -> None:
        """Count a commit that failed at the broker."""
        ...


class Transactions:
    """Commits records and offsets of a consumer group, all or nothing.

    The transactional id is made of group and topic: whoever opens it fences all who had it before.
    No topic has a slash in its name, so no two pairs make the same.

    Parameters
    ----------
    interrupts
        The fence is checked before another consumer is fenced; when overdue, a commit is not tried
        again; the failpoints are "transaction-begun" and "transaction-sent".
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
        """Fence all others and end what they left open; returns the committed offsets.

        By partition, of those that have one; their metadata is the id of a checkpoint.
        """
        self.close()
        self._producer = KafkaProducer(
            **self._connection.options,
            transactional_id=f"newsreel/{self._group}/{self._topic}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            max_block_ms=DELIVERY_TIMEOUT_MS,
            compression_type="gzip",
            max_request_size=MAX_REQUEST_BYTES,
        )
        self._producer.init_transactions()
        found = committed(self._connection, self._group, self._topic)
        self._last = named(found)
        return found

    def begin(self) -> Mapping[int, OffsetAndMetadata]:
        """Open; while the broker is away it is tried again.

        Raises
        ------
        SupersededError, RefusedError, AbandonedError
        """
        for wait in _waits():
            try:
                return self.open()
            except (KafkaError, OSError) as error:
                self._recover("to begin with", error)
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
        """Commit records and positions, the latter with the id of their checkpoint.

        While the broker is away it is tried again, as long as the checkpoint ``exists``.

        Raises
        ------
        SupersededError
            Another consumer has taken over; nothing was committed.
        RefusedError
            The broker does not allow it.
        CheckpointError
            The checkpoint is not there any more.
        AbandonedError
            It had to hurry.
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
        """Close the connection; an open transaction is aborted by whoever opens the next."""
        if self._producer is not None:
            with suppress(KafkaError):  # not all could be sent: that is known already
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
                delivery.get(timeout=0.0)  # what was refused says why better than the next call
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
                " to write its transactional id, and start again"
            ) from error
        if self._interrupts.overdue():
            raise AbandonedError(
                f"the broker did not take the commit of checkpoint {id_} ({error}); what was"
                " learned since the last one will be learned again: start again"
            ) from error
        log.warning("commit failed, trying again", checkpoint=id_, error=str(error))

    def _resume(self, id_: str, exists: Callable[[], bool]) -> bool:
        """Open again after a failure; whether the commit had gone through all the same."""
        if self._interrupts.fenced():
            raise superseded(self._group)
        last = self._last
        self.open()
        # Opening may have taken long. Whoever took over meanwhile was fenced by it, and will open
        # again, too; and may have deleted what was never committed.
        if self._interrupts.fenced() or self._last not in {last, id_}:
            raise superseded(self._group)
        if not exists():
            raise CheckpointError(f"checkpoint {id_} was deleted before it could be committed")
        return self._last == id_


def superseded(group: str) -> SupersededError:
    """Build the error of a consumer that is not the one any more."""
    return SupersededError(
        f"another consumer has taken over group {group!r}; this one has changed nothing since its"
        " last commit: start it again to stand by"
    )


def _parts(records: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Divide records into parts of about `FLUSH_BYTES`."""
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
