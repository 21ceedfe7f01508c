"""Hold predictions and dead letters until their transaction is committed."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError, UnknownError

from newsreel.common.kafka import Connection
from newsreel.events import cloudevents
from newsreel.events.cloudevents import Headers

FLUSH_SECONDS = 60.0

CLOSE_SECONDS = 5.0

SPLIT_SECONDS = 0.01
"""Seconds in which the client has split a batch."""

MAX_BLOCK_MS = 100
"""Milliseconds to wait for room in the client's buffer; then the transaction sends the record."""

RECORD_OVERHEAD_BYTES = 200
"""Estimated overhead of a record beside its key, value and headers."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be sent."""

    topic: str
    key: bytes | None
    value: bytes | None

    headers: Headers
    """Headers of the original record."""

    about: Headers = field(default_factory=list)
    """Headers that newsreel adds."""

    spare_key: bytes | None = None
    """Key for a topic that refuses records without a key."""

    smaller_values: Callable[[bytes], Iterable[bytes]] | None = None
    """Returns values that say less, for a topic that refuses the size; None if parts of the record
    may be dropped."""

    @property
    def size(self) -> int:
        """Approximate size in bytes."""
        headers = cloudevents.size(self.headers) + cloudevents.size(self.about)
        return RECORD_OVERHEAD_BYTES + len(self.key or b"") + len(self.value or b"") + headers


def shortened(record: Outgoing, limit: int) -> Outgoing:
    """Drop the parts of a record that exceed a limit, and add a header with the size of each.

    Parameters
    ----------
    record
        Its key, value and original headers are parts.
    limit
        Largest part in bytes.
    """
    key, value, headers = record.key, record.value, record.headers
    dropped: dict[str, int] = {}
    if key is not None and len(key) > limit:
        dropped["dl_key_bytes"], key = len(key), None
    if value is not None and len(value) > limit:
        dropped["dl_value_bytes"], value = len(value), b""
    if (size := cloudevents.size(headers)) > limit:
        dropped["dl_headers_bytes"], headers = size, []
    sizes = [(name, str(count).encode()) for name, count in dropped.items()]
    return replace(record, key=key, value=value, headers=headers, about=[*record.about, *sizes])


def send(producer: KafkaProducer, record: Outgoing) -> Any:
    """Hand a record to a producer; returns the future of its delivery."""
    # The client refuses a record with neither key nor value.
    value = b"" if record.key is None and record.value is None else record.value
    headers = [*record.headers, *record.about]
    return producer.send(record.topic, key=record.key, value=value, headers=headers)


def flush(producer: KafkaProducer, seconds: float) -> None:
    """Wait until the outcome of every delivery of a producer is known.

    The client raises `UnknownError` when it splits a batch that is too large for its topic, and
    does not wait for the halves.

    Raises
    ------
    KafkaTimeoutError
        That takes longer.
    """
    while True:
        try:
            producer.flush(timeout=seconds)
        except UnknownError:
            time.sleep(SPLIT_SECONDS)
        else:
            return


class Delivery(Protocol):
    """How records leave before the transaction that commits their documents."""

    def send(self, record: Outgoing) -> Any | None:
        """Start to send a record; returns the future of its delivery, or None if it has to wait."""
        ...

    def flush(self) -> None:
        """Wait until the outcome of every delivery is known."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class TransactionalDelivery:
    """Exactly once: records leave with the transaction that commits their documents."""

    def send(self, record: Outgoing) -> None:
        """Leave the record to the transaction."""

    def flush(self) -> None:
        """Return at once: nothing was sent."""

    def close(self) -> None:
        """Return at once: no connection is open."""


class ImmediateDelivery:
    """At least once: records leave at once, and some leave again after a crash.

    Parameters
    ----------
    connection
        Broker that receives the records.
    """

    def __init__(self, connection: Connection) -> None:
        self._producer = KafkaProducer(
            **connection.options,
            compression_type="gzip",
            acks="all",
            enable_idempotence=False,
            max_block_ms=MAX_BLOCK_MS,
        )

    def send(self, record: Outgoing) -> Any | None:
        """Start to send a record; returns the future of its delivery, or None if it has to wait."""
        try:
            return send(self._producer, record)
        except KafkaError:  # the client's buffer is full: the transaction sends the record
            return None

    def flush(self) -> None:
        """Wait until the outcome of every delivery is known."""
        with suppress(KafkaError):  # the transaction sends what was not delivered
            flush(self._producer, FLUSH_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        with suppress(KafkaError):  # as in flush
            self._producer.close(timeout=CLOSE_SECONDS)


class Outbox:
    """Records of documents that no transaction has committed yet.

    Parameters
    ----------
    delivery
        `TransactionalDelivery` or `ImmediateDelivery`.

    Attributes
    ----------
    size
        Approximate size of all records in bytes.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._waiting: list[tuple[Outgoing, Any | None]] = []
        self.size = 0

    def put(self, records: Iterable[Outgoing]) -> None:
        """Add records; they stay until they are dropped."""
        for record in records:
            self._waiting.append((record, self._delivery.send(record)))
            self.size += record.size

    def waiting(self) -> list[tuple[Outgoing, Any | None]]:
        """Return all records in the order of `put`, each with the future of its delivery."""
        return list(self._waiting)

    def undelivered(self, waiting: Iterable[tuple[Outgoing, Any | None]]) -> list[Outgoing]:
        """Return the records that the transaction has to send; waits for pending deliveries."""
        self._delivery.flush()
        return [record for record, future in waiting if future is None or not future.succeeded()]

    def drop(self, count: int) -> None:
        """Remove the first records: they are committed."""
        self.size -= sum(record.size for record, _ in self._waiting[:count])
        del self._waiting[:count]
