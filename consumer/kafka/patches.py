"""A transaction goes on when its broker is back; kafka-python forgets what it was about to ask.

Its sender expects to be told that a broker is not ready and then puts the request back. In 3.0.12
it gets an exception instead, behind which the request is lost: flushing waits until the records
expire, and sending offsets or committing waits for ever.
"""

import time
from typing import Any

from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.record.default_records import DefaultRecordBatch

PAUSE_SECONDS = 0.1
"""Between tries: the sender itself goes on at once."""

_raising = KafkaNetClient.await_ready

_strict = DefaultRecordBatch._read_msg  # noqa: SLF001


def _await_ready(client: Any, *arguments: Any, **options: Any) -> bool:
    try:
        return bool(_raising(client, *arguments, **options))
    except KafkaError:
        time.sleep(PAUSE_SECONDS)
        return False


def keep_requests() -> None:
    """Let senders know when a broker is not ready."""
    KafkaNetClient.await_ready = _await_ready


class _HeaderName(str):
    """A name with surrogates (PEP 383), which can be encoded again: the client does, to measure."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        return super().encode(encoding, errors)


class _LenientBytes(bytes):
    """Bytes whose parts decode to surrogates where they are no UTF-8."""

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return _LenientBytes(part) if isinstance(part, bytes) else part

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return _HeaderName(super().decode(encoding, errors))


def _read_msg(batch: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return _strict(batch, *arguments, **options)
    except UnicodeDecodeError:
        # One such name would make the whole batch unreadable, and polling fail for ever. The
        # position has not moved: read it again. This is slow, and rare.
        batch._buffer = _LenientBytes(batch._buffer)  # noqa: SLF001
        return _strict(batch, *arguments, **options)


def read_any_header_name() -> None:
    """Let names of headers be read that are no UTF-8; they come with surrogates."""
    DefaultRecordBatch._read_msg = _read_msg  # noqa: SLF001


def install() -> None:
    """Install both patches of kafka-python."""
    keep_requests()
    read_any_header_name()
