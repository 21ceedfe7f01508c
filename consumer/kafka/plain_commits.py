"""Commit offsets that name the checkpoint, without a transaction: at least once."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import CheckpointError
from consumer.kafka.commits import CommitRetryObserver, RefusedError, abandoned, superseded
from consumer.kafka.offsets import FRESH, checkpoint_id, committed, naming
from consumer.kafka.outbox import Outgoing
from consumer.kafka.outputs import restore_topics
from consumer.kafka.producers import close, connect
from consumer.kafka.refusals import Refusals
from consumer.kafka.sending import RecordsRefusedError, Sending
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.kafka import CONNECT_TIMEOUT_MS, Connection
from newsreel.common.kafka_errors import explain, heals
from newsreel.common.retrying import Waiting, retry

COMMIT_TIMEOUT_MS = 15_000

T = TypeVar("T")


class PlainCommits:
    """Sends records, then commits offsets of a consumer group; works where no transactions are.

    A kill between the two sends the records once more after the next start. Only the lease keeps a
    consumer that another one has replaced from committing: unlike a transactional id, an offset
    commit can't be fenced by the broker. So the lease, and the checkpoint that the group names, are
    checked just before each commit, and the lease before records are sent.

    Parameters
    ----------
    connection
        Broker of the topic.
    group, topic
        Consumer group, and the topic of documents that it reads.
    interrupts
        Once ``fenced``, nothing is committed; once ``overdue``, a commit is not tried again; the
        failpoints are "transaction-begun" and "transaction-sent".
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
        self._last: str | None = None
        self._refusals = Refusals()
        self.problem: str | None = None

    def begin(self, seconds: float | None = None) -> Mapping[int, OffsetAndMetadata]:
        """Return the committed offsets, trying again while the broker is away.

        Parameters
        ----------
        seconds
            Seconds to try; `START_SECONDS` of retrying by default.

        Raises
        ------
        SupersededError, RefusedError, OutageError, StoppedError
        """
        what = "the offsets"

        def attempt() -> Mapping[int, OffsetAndMetadata]:
            return committed(self._connection, self._group, self._topic)

        waiting = self._waiting(what)
        offsets = retry(
            lambda: self._try(attempt, what, waiting), waiting, self._interrupts.stopping, seconds
        )
        self._last, self.problem = checkpoint_id(offsets), None
        return offsets

    def commit(
        self,
        records: Sequence[Outgoing],
        positions: Mapping[int, int],
        id_: str,
        exists: Callable[[], bool] = lambda: True,
    ) -> None:
        """Send records and commit positions, trying again while the broker is away.

        Parameters
        ----------
        records
            Records to send. One that its topic refuses is sent in another form, or only counted.
        positions
            Next offset to read, by partition.
        id_
            Id of the checkpoint that belongs to the positions; becomes their metadata.
        exists
            Returns whether the checkpoint still exists.

        Raises
        ------
        SupersededError
            Another consumer has taken over; no offsets were committed.
        RefusedError
            The broker refuses the commit.
        CheckpointError
            The checkpoint was deleted.
        AbandonedError
            The time to end came before the broker accepted the commit.
        """
        offsets = naming(id_, self._topic, positions)
        sending = Sending(records, self._refusals)

        def attempt() -> None:
            if self._interrupts.fenced():
                raise superseded(self._group)
            self._interrupts.failpoint("transaction-begun")
            try:
                self._send(sending)
            except (KafkaError, OSError) as error:
                restore_topics(self._connection, error, records)
                raise
            if not exists():
                raise CheckpointError(f"checkpoint {id_} was deleted before it could be committed")
            self._interrupts.failpoint("transaction-sent")
            self._commit(offsets, id_)

        what = f"the commit of checkpoint {id_}"
        waiting = self._waiting(what, sorted({record.topic for record in records}))
        retry(lambda: self._try(attempt, what, waiting), waiting, seconds=math.inf)
        self._last = None if id_ == FRESH else id_
        self.problem = None
        sending.finish(self._observer)

    def close(self) -> None:
        """Return at once: no connection stays open."""

    def _send(self, sending: Sending) -> None:
        """Send what could not leave at once."""
        if sending.done:
            return
        producer = connect(self._connection)
        try:
            while True:
                try:
                    sending.go_on(producer)
                except RecordsRefusedError as error:
                    sending.adapt(error)
                else:
                    return
        finally:
            close(producer)

    def _commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], id_: str) -> None:
        consumer = KafkaConsumer(
            **self._connection.options,
            bootstrap_timeout_ms=CONNECT_TIMEOUT_MS,
            group_id=self._group,
            enable_auto_commit=False,
        )
        try:
            last = checkpoint_id(committed(self._connection, self._group, self._topic))
            if self._interrupts.fenced() or last not in {self._last, id_}:
                raise superseded(self._group)
            consumer.commit(offsets, timeout_ms=COMMIT_TIMEOUT_MS)
        finally:
            consumer.close(autocommit=False)

    def _try(self, action: Callable[[], T], what: str, waiting: Waiting) -> T:
        """Call a function that talks to the broker; an error that never heals ends the run."""
        try:
            return action()
        except (KafkaError, OSError) as error:
            self.problem = waiting.reason or explain(error)
            self._observer.commit_retried()
            if not heals(error):
                raise RefusedError(
                    f"Kafka refuses {what} of group {self._group!r}: {explain(error)}"
                ) from error
            if self._interrupts.overdue():
                raise abandoned(what, self.problem) from error
            raise

    def _waiting(self, task: str, topics: Sequence[str] = ()) -> Waiting:
        need = Need((self._topic, *topics), self._group)
        return Waiting(task, lambda: diagnose(self._connection, need))
