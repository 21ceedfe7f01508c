"""Sending documents and counting their outcomes, with a fake Kafka client."""

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

from newsreel.common.kafka_errors import explain
from newsreel.events.document import Document
from newsreel.events.topics import Names
from producer import publisher as publishing
from producer.publisher import DeliveryError, PublishCounts, Publisher

PATIENCE = 30.0


class Client:
    """Keeps sent records until the test settles them; refuses values over ``limit`` bytes."""

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
    counts = PublishCounts()
    return Publisher(client, Names.of("documents"), "tests", counts, patience), counts


def test_counts_deliveries() -> None:
    """A document counts as delivered when the broker acknowledges it, not when it is sent."""
    client = Client()
    publish, counts = publisher(client)
    publish.publish(Document("1", "text"))
    publish.publish(Document("2", "text"))
    assert (counts.delivered, publish.pending) == (0, 2)
    client.sent[0].success(None)
    assert (counts.delivered, publish.pending) == (1, 1)
    client.sent[1].success(None)
    publish.flush()
    assert (counts.delivered, counts.failed, counts.skipped, publish.pending) == (2, 0, 0, 0)
    assert counts.delivered_bytes == sum(map(len, client.values)) + len("12")


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
    """A document that breaks the wire contract is skipped; the first one's reason is recorded."""
    client = Client()
    publish, counts = publisher(client)
    publish.publish(document)
    publish.publish(Document("later", ""))
    publish.flush()
    assert client.sent == []
    assert counts.skipped == 2
    assert counts.first_skipped.startswith(reason)


def test_refused_for_its_size() -> None:
    """A document that is too large for the topic fails; the documents after it are sent."""
    client = Client(limit=1000)
    publish, counts = publisher(client)
    publish.publish(Document("large", "x" * 2000))
    publish.publish(Document("small", "x"))
    client.sent[0].success(None)
    publish.flush()
    assert (counts.delivered, counts.failed) == (1, 1)
    assert counts.first_failed.startswith("document 'large': its 20")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KafkaTimeoutError("Expiring 3 record(s)"), "no answer for 30 s"),
        (
            TopicAuthorizationFailedError("documents"),
            explain(TopicAuthorizationFailedError("documents")),
        ),
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
        f"Kafka accepts no more documents ({reason}): 1 were delivered to 'documents', 4 more were"
        " sent; check the broker, then run the producer again"
    )
    for action in (publish.flush, lambda: publish.publish(Document("6", "text"))):
        with pytest.raises(DeliveryError) as caught:
            action()
        assert str(caught.value) == message


def test_client_without_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The publisher gives up on a client that never reports an outcome."""
    monkeypatch.setattr(publishing, "GRACE_SECONDS", 0.01)
    publish, _ = publisher(Client(), patience=0.01)
    publish.publish(Document("1", "text"))
    with pytest.raises(DeliveryError, match="0 were delivered"):
        publish.flush()


def test_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document waits until there is room for it among the unacknowledged ones."""
    monkeypatch.setattr(publishing, "PENDING_BYTES", 100)
    client = Client()
    publish, counts = publisher(client)
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
    assert counts.delivered == 2
