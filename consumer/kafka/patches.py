"""Repair four defects of kafka-python 3.0.12; `install` is called once at a program's start.

Lost requests. A producer's sender asks whether a broker is ready and puts its request back when
the answer is no. `KafkaNetClient.await_ready` raises an exception instead of answering, and the
request is lost: flushing waits until the records expire; sending offsets or committing waits for
ever. With the patch, ``await_ready`` answers no.

Header names. One header name that is not UTF-8 makes `DefaultRecordBatch` refuse its whole batch,
so that polling fails for ever. With the patch, such names are decoded with surrogates (PEP 383).

Paused partitions. `Fetcher` sets fetched records of a paused partition aside. When the partition is
resumed, it takes them up only if it never held records of another partition: a partition that is
read to the last record leaves an empty holder behind, which counts as records. So the partition is
never read again. With the patch, an empty holder is removed.
Offsets of a partition without a leader. `Fetcher` raises a `KeyError` where a partition loses its
leader while its offsets are asked for. With the patch, it raises `LeaderNotAvailableError`.

`newsreel.common.patches` has the defects that the producer meets, too.
"""

import time
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError, LeaderNotAvailableError
from kafka.net.compat import KafkaNetClient
from kafka.record.default_records import DefaultRecordBatch

from newsreel.common import patches

PAUSE_SECONDS = 0.1
"""Seconds before "not ready" is answered: the sender tries again at once."""

_await_ready = KafkaNetClient.await_ready

_read_msg = DefaultRecordBatch._read_msg  # noqa: SLF001

_fetched_records = Fetcher.fetched_records

_beginning_or_end_offset = Fetcher.beginning_or_end_offset


def install() -> None:
    """Install the patches in this process; further calls change nothing."""
    patches.install()
    Fetcher.fetched_records = _fetched_records_of_resumed_partitions
    Fetcher.beginning_or_end_offset = _beginning_or_end_offset_of_led_partitions
    KafkaNetClient.await_ready = _await_ready_without_raising
    DefaultRecordBatch._read_msg = _read_msg_with_any_header_name  # noqa: SLF001


def _await_ready_without_raising(client: Any, *arguments: Any, **options: Any) -> bool:
    try:
        return bool(_await_ready(client, *arguments, **options))
    except KafkaError:
        time.sleep(PAUSE_SECONDS)
        return False


def _fetched_records_of_resumed_partitions(fetcher: Any, *arguments: Any, **options: Any) -> Any:
    if not fetcher._next_partition_records:  # noqa: SLF001
        fetcher._next_partition_records = None  # noqa: SLF001
    return _fetched_records(fetcher, *arguments, **options)


def _beginning_or_end_offset_of_led_partitions(
    fetcher: Any, *arguments: Any, **options: Any
) -> Any:
    try:
        return _beginning_or_end_offset(fetcher, *arguments, **options)
    except KeyError as error:
        raise LeaderNotAvailableError(*error.args) from error


def _read_msg_with_any_header_name(batch: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return _read_msg(batch, *arguments, **options)
    except UnicodeDecodeError:
        # The position in the buffer has not moved, so the record is read again. Slow, and rare.
        batch._buffer = _LenientBytes(batch._buffer)  # noqa: SLF001
        return _read_msg(batch, *arguments, **options)


class _HeaderName(str):
    """A header name with surrogates; the client encodes names again to measure them."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        return super().encode(encoding, errors)


class _LenientBytes(bytes):
    """Bytes whose slices decode to surrogates where they are not UTF-8."""

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return _LenientBytes(part) if isinstance(part, bytes) else part

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return _HeaderName(super().decode(encoding, errors))
