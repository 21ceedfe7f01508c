"""Read the held-out topic: documents on which the model is evaluated and never trained."""

from collections import Counter
from collections.abc import Callable

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from consumer.kafka.bounded import read_until
from consumer.kafka.topic_state import topic_id
from consumer.records.reader import Reader
from newsreel.common import kafka
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.errors import UserError
from newsreel.common.retrying import Waiting, retry
from newsreel.events.document import Document
from newsreel.events.errors import DecodeError

log = structlog.get_logger()

STALL_SECONDS = 60.0
"""Seconds without a record, before the end of the topic, after which reading fails."""


class HeldOutError(UserError):
    """The held-out topic has no documents."""


class HeldOutTopic:
    """The documents of a held-out topic; `read` fetches only those published since the last call.

    Parameters
    ----------
    connection
        Broker of the topic.
    topic
        Name; the topic may not exist yet, and may grow.
    reader
        Reads documents from records.

    Attributes
    ----------
    last_error
        Why the last unusable record can't be used; empty if there was none.
    """

    def __init__(self, connection: kafka.Connection, topic: str, reader: Reader) -> None:
        self._connection = connection
        self._topic = topic
        self._id: str | None = None
        self._reader = reader
        self._documents: dict[tuple[str, str, str], Document] = {}
        self._keys: Counter[str] = Counter()
        self._replaced = 0
        self._warned = self._held_back = False
        self._unusable = 0
        self.last_error = ""
        self._positions: dict[TopicPartition, int] = {}

    def read_when_possible(self, stopping: Callable[[], bool] | None = None) -> list[Document]:
        """Return what `read` does, trying again for a while where Kafka is not ready.

        Parameters
        ----------
        stopping
            Returns whether the program is about to end.

        Raises
        ------
        UserError
            Kafka refuses, or is not ready in time.
        StoppedError
            The program is about to end.
        """
        need = Need((self._topic,))
        task = f"the held-out documents of topic {self._topic!r}"
        waiting = Waiting(task, lambda: diagnose(self._connection, need))
        return retry(self.read, waiting, stopping)

    def read(self) -> list[Document]:
        """Return every labelled document of the topic; an empty list where there is no topic.

        A document that was published again, with an id that its record names, counts once, with its
        last content. Where only keys repeat, all documents count.

        Raises
        ------
        BrokerUnreachableError, StalledError, RegistryError, KafkaError
        """
        with kafka.admin(self._connection) as admin:
            numbers = kafka.partitions(admin, self._topic)
            written = kafka.count(admin, self._topic)
            id_ = topic_id(admin, self._topic)
        if id_ != self._id:
            self._forget()  # the topic was deleted, or created again
        self._id = id_
        if numbers:
            self._read([TopicPartition(self._topic, number) for number in numbers], written)
        return [document for document in self._documents.values() if document.label is not None]

    def _read(self, partitions: list[TopicPartition], written: int) -> None:
        consumer = KafkaConsumer(
            **self._connection.options,
            bootstrap_timeout_ms=kafka.CONNECT_TIMEOUT_MS,
            request_timeout_ms=kafka.REQUEST_TIMEOUT_MS,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        try:
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            if any(self._positions.get(tp, 0) > ends[tp] for tp in partitions):
                self._forget()  # the topic of a broker without ids was created again
            consumer.seek_to_beginning(*partitions)
            for tp, position in self._positions.items():
                consumer.seek(tp, position)
            for record in read_until(consumer, ends, STALL_SECONDS):
                self._add(record)
            self._report(written - sum(ends.values()))
            self._positions = {tp: consumer.position(tp) for tp in partitions}
        finally:
            consumer.close()

    def _forget(self) -> None:
        """Forget the documents of an earlier topic: they are no longer held out."""
        self._documents, self._positions, self._keys = {}, {}, Counter()

    def _add(self, record: ConsumerRecord) -> None:
        try:
            reading = self._reader.read(record)
        except DecodeError as error:
            self._unusable += 1
            self.last_error = str(error)
            return
        document = reading.document
        if document is None:
            return
        place = "" if reading.has_own_id else f"{record.partition}/{record.offset}"
        earlier = self._documents.get((document.id, reading.source, place))
        if earlier is not None and earlier.text != document.text:
            self._replaced += 1
        self._documents[document.id, reading.source, place] = document
        if not reading.has_own_id:
            self._keys[document.id] += 1

    def _report(self, held_back: int) -> None:
        """Say what of the topic is not as it should be, once.

        Parameters
        ----------
        held_back
            Number of records that open transactions hide.
        """
        if held_back > 0 and not self._held_back:
            log.warning(
                "an open transaction holds back held-out records, which are left out; its producer"
                " must commit or abort it",
                topic=self._topic,
                records=held_back,
            )
        self._held_back = held_back > 0
        if self._unusable:
            log.warning(
                "held-out records can't be used, and are left out",
                topic=self._topic,
                records=self._unusable,
                last=self.last_error,
            )
            self._unusable = 0
        if self._warned:
            return
        if len(self._keys) < self._keys.total():
            self._warned = True
            log.warning(
                "keys of held-out documents repeat: each document counts; say where their ids are"
                " with --id-field, or none",
                topic=self._topic,
                documents=self._keys.total(),
                keys=len(self._keys),
            )
        elif self._replaced:
            self._warned = True
            log.warning(
                "held-out documents have the ids of others, and replaced them; if these are no new"
                " versions, name the place of an id that is unique with --id-field, or none",
                topic=self._topic,
                replaced=self._replaced,
            )
