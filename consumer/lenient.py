"""Kafka allows any bytes for the name of a header; kafka-python does not."""

from typing import Any

from kafka.record.default_records import DefaultRecordBatch

_strict = DefaultRecordBatch._read_msg  # noqa: SLF001


class _Name(str):
    """A name with surrogates (PEP 383), which can be encoded again: the client does, to measure."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        return super().encode(encoding, errors)


class _Lenient(bytes):
    """Bytes whose parts decode to surrogates where they are no UTF-8."""

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return _Lenient(part) if isinstance(part, bytes) else part

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return _Name(super().decode(encoding, errors))


def _read_msg(batch: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return _strict(batch, *arguments, **options)
    except UnicodeDecodeError:
        # One such name would make the whole batch unreadable, and polling fail for ever. The
        # position has not moved: read it again. This is slow, and rare.
        batch._buffer = _Lenient(batch._buffer)  # noqa: SLF001
        return _strict(batch, *arguments, **options)


def install() -> None:
    """Let names of headers be read that are no UTF-8; they come with surrogates."""
    DefaultRecordBatch._read_msg = _read_msg  # noqa: SLF001
