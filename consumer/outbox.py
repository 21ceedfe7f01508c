"""Predictions and dead letters that wait for their commit."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumer.prequential import Step
from consumer.progress import Progress
from consumer.records import Outgoing, dead_letter_record, drift_record, prediction_record, send
from events import topics
from events.errors import Reason
from service.kafka import Connection

FLUSH_SECONDS = 60.0
CLOSE_SECONDS = 5.0
MAX_BLOCK_MS = 100
"""How long a record waits for room in the client's buffer before the transaction takes it."""

log = structlog.get_logger()


class Sender(Protocol):
    """Whether, and how, records leave before the transaction."""

    def send(self, record: Outgoing) -> Any | None:
        """Begin to send a record; returns the future of its delivery, or None if it must wait."""
        ...

    def flush(self) -> None:
        """Wait until deliveries are known."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Later:
    """Exactly once: records leave with the transaction that commits their documents."""

    def send(self, record: Outgoing) -> None:
        """Leave it to the transaction."""

    def flush(self) -> None:
        """Nothing was sent."""

    def close(self) -> None:
        """Nothing is open."""


class AtOnce:
    """At least once: records leave when they are made; after a crash some are made again."""

    def __init__(self, connection: Connection) -> None:
        self._producer = KafkaProducer(
            **connection.options,
            compression_type="gzip",
            acks="all",
            enable_idempotence=False,
            max_block_ms=MAX_BLOCK_MS,
        )

    def send(self, record: Outgoing) -> Any | None:
        """Begin to send a record."""
        try:
            return send(self._producer, record)
        except KafkaError:  # the client's own buffer is full: the transaction takes it along
            return None

    def flush(self) -> None:
        """Wait until deliveries are known."""
        with suppress(KafkaError):  # what was not delivered goes with the transaction
            self._producer.flush(timeout=FLUSH_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        with suppress(KafkaError):  # as above
            self._producer.close(timeout=CLOSE_SECONDS)


class Outbox:
    """Records of documents that no transaction has committed yet.

    Parameters
    ----------
    sender
        `Later` or `AtOnce`.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._waiting: list[tuple[Outgoing, Any | None]] = []
        self.size = 0

    def put(self, records: Iterable[Outgoing]) -> None:
        """Take in records; they stay until they are dropped."""
        for record in records:
            self._waiting.append((record, self._sender.send(record)))
            self.size += record.size

    def waiting(self) -> list[tuple[Outgoing, Any | None]]:
        """Return all that was put and not dropped, in that order."""
        return list(self._waiting)

    def undelivered(self, waiting: Iterable[tuple[Outgoing, Any | None]]) -> list[Outgoing]:
        """Return those that the transaction has to take along. May wait for the broker."""
        self._sender.flush()
        return [
            record for record, delivery in waiting if delivery is None or not delivery.succeeded()
        ]

    def drop(self, count: int) -> None:
        """Forget the first records: they are committed."""
        self.size -= sum(record.size for record, _ in self._waiting[:count])
        del self._waiting[:count]


class Writer:
    """Puts what a step brings into the outbox.

    Parameters
    ----------
    topic, group
        Of the documents, and who reads them.
    behind
        Positions up to which everything was published in an earlier life, where an older checkpoint
        than the last has to do.
    """

    def __init__(
        self, topic: str, group: str, outbox: Outbox, progress: Progress, behind: Mapping[int, int]
    ) -> None:
        self._topic = topic
        self._group = group
        self._outbox = outbox
        self._progress = progress
        self._behind = behind

    def write(self, step: Step) -> None:
        """Write predictions, dead letters and drifts."""
        new = any(self._is_new(partition, end - 1) for partition, end in step.positions.items())
        for letter in step.dead_letters:
            log.warning(
                "dead letter",
                reason=str(letter.reason),
                detail=letter.detail,
                partition=letter.partition,
                offset=letter.offset,
            )
        self._outbox.put(
            prediction_record(
                topics.predictions(self._topic),
                prediction,
                origin,
                self._topic,
                self._group,
                self._progress.checkpoint,
                self._progress.steps,
            )
            for prediction, origin in zip(step.predictions, step.origins, strict=True)
            if self._is_new(origin.partition, origin.offset)
        )
        self._outbox.put(
            dead_letter_record(topics.dead_letters(self._topic), letter)
            for letter in step.dead_letters
            if self._is_new(letter.partition, letter.offset)
            # What is quarantined was read before, perhaps before the last commit.
            or (letter.reason is Reason.DIVERGED and new)
        )

        if new:
            self._outbox.put(
                drift_record(topics.drift(self._topic), drift, self._topic, self._group)
                for drift in step.drifts
            )

    def _is_new(self, partition: int, offset: int) -> bool:
        return offset >= self._behind.get(partition, 0)
