"""Sends documents to a Kafka topic; each is delivered once or counted as failed or skipped."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from newsreel.common.errors import UserError
from newsreel.common.kafka_errors import explain, heals
from newsreel.events import change, label
from newsreel.events.change import Change
from newsreel.events.document import Document, encode
from newsreel.events.errors import EncodeError
from newsreel.events.label import Label
from newsreel.events.record import Record
from newsreel.events.topics import Names
from producer.scenarios.stream import Item

PENDING_BYTES = 1 << 22
"""Most bytes of unacknowledged records; the Kafka client itself has no limit."""

GRACE_SECONDS = 5.0
"""Seconds to wait after the Kafka client's own timeout, as the client knows the reason."""


@dataclass
class PublishCounts:
    """Counts of published documents, labels and changes.

    Parameters
    ----------
    delivered, delivered_bytes
        Documents that the broker has acknowledged, and the bytes of their keys and values.
    failed, first_failed
        Documents that are larger than the topic accepts, and the message about the first one.
    skipped, first_skipped
        Documents that break the wire contract, and the message about the first one.
    labels
        Labels that were published later than their documents.
    changes
        Changes of the stream that were published, by scenario and kind of change.
    change_times
        Time of the last change of each kind, in seconds since 1970.
    change_documents
        Number of documents before the last change of each kind.
    """

    delivered: int = 0
    delivered_bytes: int = 0
    failed: int = 0
    first_failed: str = ""
    skipped: int = 0
    first_skipped: str = ""
    labels: int = 0
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    change_times: dict[tuple[str, str], float] = field(default_factory=dict)
    change_documents: dict[tuple[str, str], float] = field(default_factory=dict)


class DeliveryError(UserError):
    """The broker became unreachable or refused records while the stream ran."""


class Publisher:
    """Sends the items of a stream with bounded memory, and counts the broker's acknowledgements.

    Parameters
    ----------
    client
        Kafka client, which reports the outcome of each record from another thread.
    topics
        Topics of documents, labels and changes.
    source
        CloudEvents source of the documents.
    counts
        Counts to update.
    patience
        Seconds to wait for the broker's acknowledgement of a record.
    published
        Number of documents of the stream that an earlier run has sent.
    """

    def __init__(
        self,
        client: KafkaProducer,
        topics: Names,
        source: str,
        counts: PublishCounts,
        patience: float,
        published: int = 0,
    ) -> None:
        self._client = client
        self._topics = topics
        self._source = source
        self._counts = counts
        self._patience = patience
        self._sent = published
        self._pending = 0
        self._pending_bytes = 0
        self._error: KafkaError | None = None
        self._acknowledged = threading.Condition()

    def send(self, item: Item) -> None:
        """Send an item of a stream to its topic.

        Raises
        ------
        DeliveryError
            Earlier records could not be delivered.
        """
        match item:
            case Document():
                self.publish(item)
            case Label():
                self.publish_label(item)
            case Change():
                self.publish_change(item)

    def publish(self, document: Document) -> None:
        """Send a document as soon as there is room for it among the unacknowledged records.

        A document that breaks the wire contract is skipped, a document that is too large for the
        topic fails; both are counted.

        Raises
        ------
        DeliveryError
            Earlier records could not be delivered.
        """
        try:
            record = encode(document, self._source)
        except EncodeError as error:
            self._counts.skipped += 1
            self._counts.first_skipped = self._counts.first_skipped or str(error)
            return
        size = len(record.key) + len(record.value)

        def delivered() -> None:
            self._counts.delivered += 1
            self._counts.delivered_bytes += size

        try:
            self._send(self._topics.documents, record, delivered)
        except MessageSizeTooLargeError:
            self._counts.failed += 1
            self._counts.first_failed = self._counts.first_failed or (
                f"document {document.id!r}: its {size} bytes are more than the topic accepts"
            )
        else:
            self._sent += 1

    def publish_label(self, item: Label) -> None:
        """Send the label of a document that was published before.

        A label that breaks the wire contract is skipped, as its document was.

        Raises
        ------
        DeliveryError
            Earlier records could not be delivered.
        """
        try:
            record = label.encode(item, self._source)
        except EncodeError:
            return

        def delivered() -> None:
            self._counts.labels += 1

        self._send(self._topics.labels, record, delivered)

    def publish_change(self, item: Change) -> None:
        """Send a change to the topic of truth.

        Raises
        ------
        DeliveryError
            Earlier records could not be delivered.
        """
        now, documents = datetime.now(UTC), self._sent
        record = change.encode(item, documents, self._source, now)

        def delivered() -> None:
            kind = (item.scenario, item.what)
            self._counts.changes[kind] += 1
            self._counts.change_times[kind] = now.timestamp()
            self._counts.change_documents[kind] = documents

        self._send(self._topics.truth, record, delivered)

    def flush(self) -> None:
        """Wait until the broker has acknowledged each record.

        Raises
        ------
        DeliveryError
            Some records could not be delivered.
        """
        self._wait(0)

    @property
    def pending(self) -> int:
        """Number of records sent and not yet acknowledged."""
        return self._pending

    def _send(self, topic: str, record: Record, delivered: Callable[[], None]) -> None:
        size = len(record.key) + len(record.value)
        self._wait(PENDING_BYTES - size)

        with self._acknowledged:
            self._pending += 1
            self._pending_bytes += size
        try:
            future = self._client.send(topic, record.value, key=record.key, headers=record.headers)
        except MessageSizeTooLargeError:
            self._settle(size)
            raise
        except KafkaError as error:
            self._fail(error)
            return
        future.add_callback(lambda _: self._settle(size, delivered))
        future.add_errback(self._fail)

    def _wait(self, pending_bytes: int) -> None:
        """Wait until the unacknowledged records have at most so many bytes."""
        with self._acknowledged:
            if not self._acknowledged.wait_for(
                lambda: self._error or self._pending_bytes <= pending_bytes,
                self._patience + GRACE_SECONDS,
            ):
                self._error = KafkaTimeoutError()
            if self._error:
                timed_out = heals(self._error)
                reason = (
                    f"no answer for {self._patience:g} s" if timed_out else explain(self._error)
                )
                raise DeliveryError(
                    f"Kafka accepts no more documents ({reason}): {self._counts.delivered} were"
                    f" delivered to {self._topics.documents!r}, {self._pending} more were sent;"
                    " check the broker, then run the producer again"
                )

    def _fail(self, error: KafkaError) -> None:
        with self._acknowledged:
            self._error = self._error or error
            self._acknowledged.notify()

    def _settle(self, size: int, delivered: Callable[[], None] = lambda: None) -> None:
        with self._acknowledged:
            delivered()
            self._pending -= 1
            self._pending_bytes -= size
            self._acknowledged.notify()
