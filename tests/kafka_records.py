"""Kafka records with any key, value and headers, and readers of them."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pytest

from consumer.records.config import RecordConfig
from consumer.records.reader import Reading, RecordReader
from newsreel.events.document import Document
from newsreel.events.errors import DecodeError, Reason


class KafkaRecord(NamedTuple):
    """The fields of a Kafka record that are read."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    topic: str = "t"
    partition: int = 0
    offset: int = 7
    timestamp: int = 1_000


def record(value: Any, key: bytes | None = None, **headers: bytes) -> KafkaRecord:
    """Return a record with a value in JSON; an underscore in a header's name is kept."""
    return KafkaRecord(json.dumps(value).encode(), key, list(headers.items()))


def records(values: Iterable[Any]) -> list[KafkaRecord]:
    """Return records with values in JSON, one after the other."""
    return [record(value)._replace(offset=number) for number, value in enumerate(values)]


def reading(found: KafkaRecord, **options: Any) -> Reading:
    """Read a record with some options."""
    return RecordReader.build(RecordConfig(**options)).read(found)


def document(found: KafkaRecord, **options: Any) -> Document:
    """Return the document of a record."""
    result = reading(found, **options).document
    assert result is not None
    return result


def refused(found: KafkaRecord, reason: Reason, **options: Any) -> str:
    """Return why a record can't be read."""
    with pytest.raises(DecodeError) as error:
        reading(found, **options)
    assert error.value.reason is reason, str(error.value)
    return str(error.value)
