"""Held-out evaluation: a topic of documents that the model is examined on and never learns."""

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


class HeldOutError(UserError):
    """The held-out topic can't be read to its end."""


class HeldOutTopic:
    """The documents of a held-out topic; each is read once, however often they are asked for.

    Parameters
    ----------
    topic
        It may not exist yet, and may grow.
    """

    def __init__(self, connection: kafka.Connection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._documents: dict[str, Document] = {}
        self._positions: dict[TopicPartition, int] = {}

    def read(self) -> list[Document]:
        """Return every labelled document of the topic as it stands now; none where there is none.

        A document that was published again counts once.

        Raises
        ------
        BrokerUnreachableError, HeldOutError, KafkaError
        """
        with kafka.admin(self._connection) as admin:
            numbers = kafka.partitions(admin, self._topic)
        if numbers:
            self._read([TopicPartition(self._topic, number) for number in numbers])
        return [one for one in self._documents.values() if one.label is not None]

    def _read(self, partitions: list[TopicPartition]) -> None:
        consumer = KafkaConsumer(
            **self._connection.options, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            if any(self._positions.get(tp, 0) > ends[tp] for tp in partitions):
                # The topic was made anew: what it had before is not held out any more.
                self._documents, self._positions = {}, {}
            consumer.seek_to_beginning(*partitions)
            for tp, position in self._positions.items():
                consumer.seek(tp, position)
            for record in self._records(consumer, ends):
                with suppress(DecodeError):  # what can't be read can't be examined
                    document = read_document(record)
                    self._documents[document.id] = document
            self._positions = {tp: consumer.position(tp) for tp in partitions}
        finally:
            consumer.close()

    def _records(
        self, consumer: KafkaConsumer, ends: Mapping[TopicPartition, int]
    ) -> Iterator[ConsumerRecord]:
        stalled = time.monotonic() + STALL_SECONDS
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            fetched = consumer.poll(timeout_ms=500)
            if fetched:
                stalled = time.monotonic() + STALL_SECONDS
            elif time.monotonic() > stalled:
                raise HeldOutError(
                    f"reading {self._topic!r} stalled; check the broker and try again"
                )
            for records in fetched.values():
                yield from records
