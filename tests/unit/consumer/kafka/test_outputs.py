"""Topics of the output that were deleted are created again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    UnknownTopicOrPartitionError,
)

from consumer.kafka.outbox import Outgoing
from consumer.kafka.outputs import restore_topics
from newsreel.common import kafka
from newsreel.common.creation import TopicCreationError
from newsreel.common.kafka import BrokerUnreachableError, Connection

RECORDS = [Outgoing("there", None, b"1", []), Outgoing("gone", None, b"2", [])] * 2


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Simulate a broker that has lost one topic; return the topics that are created."""
    created: list[str] = []

    @contextmanager
    def admin(_: Connection) -> Iterator[None]:
        yield

    def ensure(_: Any, topic: str, count: int) -> None:
        assert count == 1
        created.append(topic)

    monkeypatch.setattr(kafka, "admin", admin)
    monkeypatch.setattr(kafka, "ensure", ensure)
    monkeypatch.setattr(kafka, "partitions", lambda _, topic: [0] if topic == "there" else [])
    return created


@pytest.mark.parametrize(
    ("error", "restored"),
    [
        (UnknownTopicOrPartitionError(), ["gone"]),
        (KafkaTimeoutError("metadata"), ["gone"]),
        (KafkaError("UnknownTopicOrPartitionError"), ["gone"]),
        (KafkaConnectionError(), []),
        (OSError(), []),
    ],
)
def test_missing_topics(created: list[str], error: Exception, restored: list[str]) -> None:
    """They are created after an error that says that a topic is not known."""
    restore_topics(Connection("anywhere"), error, RECORDS)
    assert created == restored


@pytest.mark.parametrize("error", [BrokerUnreachableError("away"), TopicCreationError("no right")])
def test_topics_that_cannot_be_created(
    created: list[str], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is tried again all the same."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(kafka, "ensure", fail)
    restore_topics(Connection("anywhere"), KafkaTimeoutError(), RECORDS)
    assert created == []
