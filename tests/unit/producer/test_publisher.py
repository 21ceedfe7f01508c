"""Sending documents and counting what became of them, with a Kafka client of our own making."""

import threading
from typing import Any

import pytest
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from kafka.future import Future

from newsreel.events.document import Document
from producer import publisher as publishing
from producer.publisher import DeliveryError, PublishCounts, Publisher

PATIENCE = 30.0


class Client:
    """Keeps what is sent until the test settles it; records over ``limit`` bytes are refused."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.sent: list[Future] = []
        self.values: list[bytes] = []
        self._limit = limit

    def send(self, topic: str, value: bytes, **_: Any) -> Future:
        if len(value) > self._limit:
            raise MessageSizeTooLargeError
        self.values.append(value)
        self.sent.append(Future())
        return self.sent[-1]


def publisher(client: Client, patience: float = PATIENCE) -> tuple[Publisher, PublishCounts]:
    tally = PublishCounts()
    return Publisher(client, "documents", "tests", tally, patience), tally


def test_counts_deliveries() -> None:
    """A document is delivered when the broker says so, not when it is sent."""
    client = Client()
    publish, tally = publisher(client)
    publish.publish(Document("1", "text"))
    publish.publish(Document("2", "text"))
    assert (tally.delivered, publish.pending) == (0, 2)
    client.sent[0].success(None)
    assert (tally.delivered, publish.pending) == (1, 1)
    client.sent[1].success(None)
    publish.flush()
    assert (tally.delivered, tally.failed, tally.skipped, publish.pending) == (2, 0, 0, 0)
    assert tally.delivered_bytes == sum(map(len, client.values)) + len("12")


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (Document("1", ""), "document '1': text: it is empty"),
        (Document("2", " \n"), "document '2': text: it is empty"),
        (Document("3", "text", "x" * 300), "document '3': label: "),
        (Document("", "text"), "document '': "),
    ],
)
def test_skips_what_breaks_the_contract(document: Document, reason: str) -> None:
    """A document that breaks the wire contract is skipped; the first one's reason is kept."""
    client = Client()
    publish, tally = publisher(client)
    publish.publish(document)
    publish.publish(Document("later", ""))
    publish.flush()
    assert client.sent == []
    assert tally.skipped == 2
    assert tally.first_skipped.startswith(reason)


def test_refused_for_its_size() -> None:
    """A document that is too large for the topic has failed; those after it are sent."""
    client = Client(limit=1000)
    publish, tally = publisher(client)
    publish.publish(Document("large", "x" * 2000))
    publish.publish(Document("small", "x"))
    client.sent[0].success(None)
    publish.flush()
    assert (tally.delivered, tally.failed) == (1, 1)
    assert tally.first_failed.startswith("document 'large': its 20")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KafkaTimeoutError("Expiring 3 record(s)"), "no answer for 30 s"),
        (TopicAuthorizationFailedError("documents"), "TopicAuthorizationFailedError"),
    ],
)
def test_lost_broker(error: KafkaError, reason: str) -> None:
    """An undelivered document ends the stream; the error says how many were delivered."""
    client = Client()
    publish, _ = publisher(client)
    for number in range(5):
        publish.publish(Document(str(number), "text"))
    client.sent[0].success(None)
    client.sent[1].failure(error)
    message = (
        f"Kafka takes no more documents ({reason}): 1 were delivered to 'documents', 4 more were"
        " on their way; see to the broker, then run the producer again"
    )
    for act in (publish.flush, lambda: publish.publish(Document("6", "text"))):
        with pytest.raises(DeliveryError) as caught:
            act()
        assert str(caught.value) == message


def test_client_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a client that never settles a document is not waited for forever."""
    monkeypatch.setattr(publishing, "GRACE_SECONDS", 0.01)
    publish, _ = publisher(Client(), patience=0.01)
    publish.publish(Document("1", "text"))
    with pytest.raises(DeliveryError, match="0 were delivered"):
        publish.flush()


def test_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document waits until there is room for it among those on their way."""
    monkeypatch.setattr(publishing, "PENDING_BYTES", 100)
    client = Client()
    publish, tally = publisher(client)
    publish.publish(Document("1", "x" * 60))
    waiting = threading.Thread(target=publish.publish, args=[Document("2", "x" * 60)])
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    assert len(client.sent) == 1
    client.sent[0].success(None)
    waiting.join(PATIENCE)
    assert len(client.sent) == 2
    client.sent[1].success(None)
    assert tally.delivered == 2
