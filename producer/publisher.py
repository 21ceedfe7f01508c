"""Documents onto a Kafka topic, each delivered once or accounted for."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, RetriableError

from newsreel.common.errors import UserError
from newsreel.events import change, label, topics
from newsreel.events.change import Change
from newsreel.events.document import Document, Record, encode
from newsreel.events.errors import EncodeError
from newsreel.events.label import Label
from producer.scenarios.stream import Item

PENDING_BYTES = 1 << 22
"""Documents on their way, in bytes at most; the Kafka client itself would take any number."""

GRACE_SECONDS = 5.0
"""How much later than the Kafka client we give up: it knows the reason."""


@dataclass
class PublishCounts:
    """Counts so far: acknowledged by the broker, refused for their size, against the contract.

    ``first_failed`` and ``first_skipped`` say which was the first such document, and why.
    ``labels`` are those that came later than their documents. ``changes`` are those of the stream
    that were told, by scenario and what it was; of the last such, ``changed`` says when, in seconds
    since 1970, and ``behind`` after how many documents.
    """

    delivered: int = 0
    delivered_bytes: int = 0
    failed: int = 0
    first_failed: str = ""
    skipped: int = 0
    labels: int = 0
    first_skipped: str = ""
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed: dict[tuple[str, str], float] = field(default_factory=dict)
    behind: dict[tuple[str, str], float] = field(default_factory=dict)


class DeliveryError(UserError):
    """The broker was lost, or stopped taking documents, while the stream ran."""


class Publisher:
    """Sends a stream, a bounded number of bytes at a time, and counts the broker's receipts.

    Parameters
    ----------
    client
        Reports the fate of each record, from a thread of its own.
    topic
        Where the documents go; labels that come later go to its topic of
        labels, and what changes to its topic of truth.
    source
        CloudEvents source of the documents.
    tally
        Where they are counted.
    patience
        Seconds to wait for the broker's word on a document.
    published
        Documents of the stream that an earlier run has sent.
    """

    def __init__(
        self,
        client: KafkaProducer,
        topic: str,
        source: str,
        tally: PublishCounts,
        patience: float,
        published: int = 0,
    ) -> None:
        self._client = client
        self._topic = topic
        self._source = source
        self._tally = tally
        self._patience = patience
        self._sent = published
        self._pending = 0
        self._pending_bytes = 0
        self._lost: KafkaError | None = None
        self._receipt = threading.Condition()

    def send(self, item: Item) -> None:
        """Send whatever a stream is of to where it belongs.

        Raises
        ------
        DeliveryError
            Documents before this one could not be delivered.
        """
        match item:
            case Document():
                self.publish(item)
            case Label():
                self.label(item)
            case Change():
                self.announce(item)

    def publish(self, document: Document) -> None:
        """Send a document as soon as there is room for it.

        One that breaks the wire contract is skipped, one that is too large for the topic fails;
        both are counted.

        Raises
        ------
        DeliveryError
            Documents before this one could not be delivered.
        """
        try:
            record = encode(document, self._source)
        except EncodeError as error:
            self._tally.skipped += 1
            self._tally.first_skipped = self._tally.first_skipped or str(error)
            return
        size = len(record.key) + len(record.value)

        def delivered() -> None:
            self._tally.delivered += 1
            self._tally.delivered_bytes += size

        try:
            self._send(self._topic, record, delivered)
        except MessageSizeTooLargeError:
            self._tally.failed += 1
            self._tally.first_failed = self._tally.first_failed or (
                f"document {document.id!r}: its {size} bytes are more than the topic takes"
            )
        else:
            self._sent += 1

    def label(self, said: Label) -> None:
        """Send the label of a document that was published before.

        One that breaks the wire contract is skipped, as its document was.

        Raises
        ------
        DeliveryError
            Documents before could not be delivered.
        """
        try:
            record = label.encode(said, self._source)
        except EncodeError:
            return

        def delivered() -> None:
            self._tally.labels += 1

        self._send(topics.labels(self._topic), record, delivered)

    def announce(self, changed: Change) -> None:
        """Tell the topic of truth what is different from the next document on.

        Raises
        ------
        DeliveryError
            Documents before could not be delivered.
        """
        now, documents = datetime.now(UTC), self._sent
        record = change.encode(changed, documents, self._source, now)

        def delivered() -> None:
            told = (changed.scenario, changed.what)
            self._tally.changes[told] += 1
            self._tally.changed[told] = now.timestamp()
            self._tally.behind[told] = documents

        self._send(topics.truth(self._topic), record, delivered)

    def flush(self) -> None:
        """Wait until each document has been delivered or has failed.

        Raises
        ------
        DeliveryError
            Some could not be delivered.
        """
        self._wait(0)

    @property
    def pending(self) -> int:
        """Documents sent whose fate is not known."""
        return self._pending

    def _send(self, topic: str, record: Record, delivered: Callable[[], None]) -> None:
        size = len(record.key) + len(record.value)
        self._wait(PENDING_BYTES - size)

        with self._receipt:
            self._pending += 1
            self._pending_bytes += size
        try:
            future = self._client.send(topic, record.value, key=record.key, headers=record.headers)
        except MessageSizeTooLargeError:
            self._settle(size)
            raise
        except KafkaError as error:
            self._lose(error)
            return
        future.add_callback(lambda _: self._settle(size, delivered))
        future.add_errback(self._lose)

    def _wait(self, pending_bytes: int) -> None:
        """Wait until no more than this is on its way."""
        with self._receipt:
            if not self._receipt.wait_for(
                lambda: self._lost or self._pending_bytes <= pending_bytes,
                self._patience + GRACE_SECONDS,
            ):
                self._lost = KafkaTimeoutError()
            if self._lost:
                reason = type(self._lost).__name__
                if isinstance(self._lost, RetriableError):
                    reason = f"no answer for {self._patience:g} s"
                raise DeliveryError(
                    f"Kafka takes no more documents ({reason}): {self._tally.delivered} were"
                    f" delivered to {self._topic!r}, {self._pending} more were on their way;"
                    " see to the broker, then run the producer again"
                )

    def _lose(self, error: KafkaError) -> None:
        with self._receipt:
            self._lost = self._lost or error
            self._receipt.notify()

    def _settle(self, size: int, delivered: Callable[[], None] = lambda: None) -> None:
        with self._receipt:
            delivered()
            self._pending -= 1
            self._pending_bytes -= size
            self._receipt.notify()
