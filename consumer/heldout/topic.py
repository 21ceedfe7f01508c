"""Read the held-out topic: documents on which the model is evaluated and never trained."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from consumer.kafka.source import read_document
from newsreel.common import kafka
from newsreel.common.errors import UserError
from newsreel.events.document import Document
from newsreel.events.errors import DecodeError

STALL_SECONDS = 60.0
"""Seconds without a record, before the end of the topic, after which reading fails."""


class HeldOutError(UserError):
    """The held-out topic has no documents or is not readable to its end."""


class HeldOutTopic:
    """The documents of a held-out topic; `read` fetches only those published since the last call.

    Parameters
    ----------
    connection
        Broker of the topic.
    topic
        Name; the topic may not exist yet, and may grow.
    """

    def __init__(self, connection: kafka.Connection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._documents: dict[str, Document] = {}
        self._positions: dict[TopicPartition, int] = {}

    def read(self) -> list[Document]:
        """Return every labelled document of the topic; an empty list where there is no topic.

        A document that was published again counts once, with its last content.

        Raises
        ------
        BrokerUnreachableError, HeldOutError, KafkaError
        """
        with kafka.admin(self._connection) as admin:
            numbers = kafka.partitions(admin, self._topic)
        if numbers:
            self._read([TopicPartition(self._topic, number) for number in numbers])
        return [document for document in self._documents.values() if document.label is not None]

    def _read(self, partitions: list[TopicPartition]) -> None:
        consumer = KafkaConsumer(
            **self._connection.options, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            if any(self._positions.get(tp, 0) > ends[tp] for tp in partitions):
                # The topic was deleted and created again: its old documents are no longer held out.
                self._documents, self._positions = {}, {}
            consumer.seek_to_beginning(*partitions)
            for tp, position in self._positions.items():
                consumer.seek(tp, position)
            for record in self._records(consumer, ends):
                with suppress(DecodeError):  # a record that breaks the wire contract is skipped
                    document = read_document(record)
                    self._documents[document.id] = document
            self._positions = {tp: consumer.position(tp) for tp in partitions}
        finally:
            consumer.close()

    def _records(
        self, consumer: KafkaConsumer, ends: Mapping[TopicPartition, int]
    ) -> Iterator[ConsumerRecord]:
        deadline = time.monotonic() + STALL_SECONDS
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            fetched = consumer.poll(timeout_ms=500)
            if fetched:
                deadline = time.monotonic() + STALL_SECONDS
            elif time.monotonic() > deadline:
                raise HeldOutError(
                    f"no record of {self._topic!r} arrived for {STALL_SECONDS:.0f} s, before its"
                    " end; check the broker and try again"
                )
            for records in fetched.values():
                yield from records
