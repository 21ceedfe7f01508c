"""Records that can't be used go to a topic of their own, with the reason."""

from collections.abc import Iterable
from typing import Any

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError

from consumer.source import DeadLetter
from service.errors import UserError
from service.kafka import Connection

MAX_REQUEST_BYTES = 64 << 20
"""Whatever the stream's broker took must fit; the broker has the last word."""
PENDING_BYTES = 16 << 20
"""Letters kept until their delivery is known, in bytes of their values."""
FLUSH_SECONDS = 60.0

log = structlog.get_logger()


class DeadLetterError(UserError):
    """A dead letter could not be delivered."""


class DeadLetterPublisher:
    """Publishes dead letters: original key, value and headers, and why and where in headers.

    ``dl_reason``, ``dl_detail``, ``dl_topic``, ``dl_partition`` and ``dl_offset`` are added. Where
    the broker refuses a value for its size, the letter goes without it and ``dl_value_bytes`` says
    how many bytes are missing; the record itself is still at its position.
    """

    def __init__(self, connection: Connection, topic: str) -> None:
        self._producer = KafkaProducer(
            **connection.options,
            compression_type="gzip",
            # To an idempotent client of kafka-python 3.0, a refused record is the end; a letter
            # that comes twice is harmless.
            enable_idempotence=False,
            acks="all",
            max_request_size=MAX_REQUEST_BYTES,
        )
        self._topic = topic
        self._pending: list[tuple[DeadLetter, Any]] = []
        self._pending_bytes = 0

    def send(self, letters: Iterable[DeadLetter]) -> None:
        """Begin to publish letters.

        Raises
        ------
        DeadLetterError
            Earlier ones could not be delivered.
        """
        for letter in letters:
            log.warning(
                "dead letter",
                reason=str(letter.reason),
                detail=letter.detail,
                partition=letter.partition,
                offset=letter.offset,
            )
            self._pending.append((letter, self._publish(letter, letter.value, [])))
            self._pending_bytes += len(letter.value or b"")
            if self._pending_bytes > PENDING_BYTES:
                self.flush()

    def flush(self) -> None:
        """Wait until every letter is delivered.

        Raises
        ------
        DeadLetterError
            One could not be: its position must not be committed.
        """
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        try:
            self._producer.flush(timeout=FLUSH_SECONDS)
            for letter, delivery in pending:
                self._confirm(letter, delivery)
        except KafkaError as error:
            raise DeadLetterError(
                f"dead letters can't be written to {self._topic!r} ({error}); nothing is committed"
                " past them: mend the broker and start again"
            ) from error

    def close(self) -> None:
        """Close the connection."""
        self._producer.close(timeout=FLUSH_SECONDS)

    def _confirm(self, letter: DeadLetter, delivery: Any) -> None:
        try:
            delivery.get(timeout=FLUSH_SECONDS)
        except MessageSizeTooLargeError:
            missing = [("dl_value_bytes", str(len(letter.value or b"")).encode())]
            self._publish(letter, None, missing).get(timeout=FLUSH_SECONDS)

    def _publish(
        self, letter: DeadLetter, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> Any:
        return self._producer.send(
            self._topic,
            key=letter.key,
            # The client takes no record with neither.
            value=b"" if letter.key is None and value is None else value,
            headers=[
                *letter.headers,
                ("dl_reason", letter.reason.encode()),
                ("dl_detail", letter.detail.encode()),
                ("dl_topic", letter.topic.encode()),
                ("dl_partition", str(letter.partition).encode()),
                ("dl_offset", str(letter.offset).encode()),
                *headers,
            ],
        )
