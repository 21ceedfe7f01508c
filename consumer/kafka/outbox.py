"""Predictions and dead letters that wait for their commit."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from newsreel.common.kafka import Connection
from newsreel.events import cloudevents
from newsreel.events.cloudevents import Headers

FLUSH_SECONDS = 60.0

CLOSE_SECONDS = 5.0

MAX_BLOCK_MS = 100
"""How long a record waits for room in the client's buffer before the transaction takes it."""

log = structlog.get_logger()

RECORD_BYTES = 200
"""Reckoned for a record beside its key and value."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way out; ``about`` are headers that newsreel adds to those it came with."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    about: Headers = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes, about."""
        headers = cloudevents.size(self.headers) + cloudevents.size(self.about)
        return RECORD_BYTES + len(self.key or b"") + len(self.value or b"") + headers


def shortened(record: Outgoing, limit: int) -> Outgoing:
    """Leave out what is over a limit, in bytes, and say so: key, value, or original headers."""
    key, value, headers = record.key, record.value, record.headers
    missing: dict[str, int] = {}
    if key is not None and len(key) > limit:
        missing["dl_key_bytes"], key = len(key), None
    if value is not None and len(value) > limit:
        missing["dl_value_bytes"], value = len(value), b""
    if (size := cloudevents.size(headers)) > limit:
        missing["dl_headers_bytes"], headers = size, []
    said = [(name, str(count).encode()) for name, count in missing.items()]
    return replace(record, key=key, value=value, headers=headers, about=[*record.about, *said])


def send(producer: KafkaProducer, record: Outgoing) -> Any:
    """Hand a record to a producer; returns the future of its delivery."""
    # The client takes no record with neither key nor value.
    value = b"" if record.key is None and record.value is None else record.value
    headers = [*record.headers, *record.about]
    return producer.send(record.topic, key=record.key, value=value, headers=headers)


class Delivery(Protocol):
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


class TransactionalDelivery:
    """Exactly once: records leave with the transaction that commits their documents."""

    def send(self, record: Outgoing) -> None:
        """Leave it to the transaction."""

    def flush(self) -> None:
        """Nothing was sent."""

    def close(self) -> None:
        """Nothing is open."""


class ImmediateDelivery:
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
        `TransactionalDelivery` or `ImmediateDelivery`.
    """

    def __init__(self, sender: Delivery) -> None:
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
