"""Commit predictions and offsets in one Kafka transaction that names the checkpoint."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import CheckpointError
from consumer.kafka.commits import CommitRetryObserver, RefusedError, abandoned, superseded
from consumer.kafka.offsets import FRESH, checkpoint_id, committed, naming
from consumer.kafka.outbox import Outgoing
from consumer.kafka.outputs import restore_topics
from consumer.kafka.producers import close, connect_transactional
from consumer.kafka.refusals import Refusals
from consumer.kafka.sending import RecordsRefusedError, Sending
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.kafka import Connection
from newsreel.common.kafka_errors import cause, explain, heals
from newsreel.common.retrying import Waiting, retry

RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts; the last value repeats."""


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
        observer: CommitRetryObserver,
    ) -> None:
        self._connection = connection
        self._group = group
        self._topic = topic
        self._interrupts = interrupts
        self._observer = observer
        self._producer: KafkaProducer | None = None
        self._last: str | None = None
        self._refusals = Refusals()
        self.problem: str | None = None

    def open(self) -> Mapping[int, OffsetAndMetadata]:
        """Fence other consumers, abort their open transactions and return the committed offsets.

        Returns
        -------
        Mapping
            Committed offsets by partition, without partitions that have none. Their metadata is
            the id of a checkpoint.
        """
        self.close()
        self._producer = connect_transactional(self._connection, self._transactional_id)
        offsets = committed(self._connection, self._group, self._topic)
        self._last = checkpoint_id(offsets)
        return offsets

    def begin(self, seconds: float | None = None) -> Mapping[int, OffsetAndMetadata]:
        """Open, trying again while the broker is away; returns the committed offsets.

        Parameters
        ----------
        seconds
            Seconds to try; `START_SECONDS` of retrying by default.

        Raises
        ------
        SupersededError, RefusedError, OutageError
        StoppedError
            A signal came: nothing was learned yet, so nothing waits for a commit.
        """

        def attempt() -> Mapping[int, OffsetAndMetadata]:
            try:
                return self.open()
            except (KafkaError, OSError) as error:
                self.close()
                self._observer.commit_retried()
                if self._interrupts.fenced():
                    raise superseded(self._group) from error
                if not heals(error):
                    raise self._refused(error) from error
                raise

        waiting = self._waiting("the transactions of the group")
        return retry(attempt, waiting, self._interrupts.stopping, seconds)

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
            Records to send. One that its topic refuses is sent in another form, or only counted.
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
        offsets = naming(id_, self._topic, positions)
        sending = Sending(records, self._refusals)
        topics = sorted({record.topic for record in records})
        waiting = self._waiting(f"the commit of checkpoint {id_}", topics)
        for wait in _waits():
            try:
                if self._producer is not None or not self._resume(id_, exists):
                    with waiting.watched():
                        self._attempt(self._producer, sending, offsets)
            except (KafkaError, OSError, RecordsRefusedError) as error:
                if sending.adapt(error):
                    self.close()
                    continue
                self._recover(id_, error, waiting)
                restore_topics(self._connection, error, records)
                time.sleep(wait)
            else:
                self._last = None if id_ == FRESH else id_
                self.problem = None
                waiting.end()
                sending.finish(self._observer)
                return

    def close(self) -> None:
        """Close the connection; the next `open` aborts a transaction that is left open."""
        if self._producer is not None:
            close(self._producer)
            self._producer = None

    def _attempt(
        self,
        producer: Any,
        sending: Sending,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
    ) -> None:
        producer.begin_transaction()
        self._interrupts.failpoint("transaction-begun")
        sending.attempt(producer)
        producer.send_offsets_to_transaction(offsets, self._group)
        self._interrupts.failpoint("transaction-sent")
        producer.commit_transaction()

    @property
    def _transactional_id(self) -> str:
        return f"newsreel/{self._group}/{self._topic}"

    def _waiting(self, task: str, topics: Sequence[str] = ()) -> Waiting:
        need = Need((self._topic, *topics), self._group, self._transactional_id)
        return Waiting(task, lambda: diagnose(self._connection, need))

    def _refused(self, error: Exception) -> RefusedError:
        refused = (
            f"Kafka refuses a transaction of group {self._group!r} to {self._connection.user}:"
            f" {explain(error)}"
        )
        if isinstance(cause(error), TopicAuthorizationFailedError | GroupAuthorizationFailedError):
            return RefusedError(refused)  # a commit without a transaction needs these rights, too
        return RefusedError(
            f"{refused}. The transactional id is {self._transactional_id!r}. Where the user has no"
            " right to transactions, or the broker has none, start with --delivery at-least-once"
        )

    def _recover(self, id_: str, error: Exception, waiting: Waiting) -> None:
        self.close()
        self.problem = waiting.reason or explain(error)
        self._observer.commit_retried()
        if not heals(error):
            raise self._refused(error) from error
        if self._interrupts.overdue():
            raise abandoned(f"the commit of checkpoint {id_}", self.problem) from error
        # Beside the next attempt, which need not wait for a look at the cluster.
        threading.Thread(target=waiting.say, args=[error], daemon=True).start()

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


def _waits() -> Iterator[float]:
    yield from RETRY_SECONDS
    while True:
        yield RETRY_SECONDS[-1]
