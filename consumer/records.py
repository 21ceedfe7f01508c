"""What leaves the consumer, as Kafka records."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaProducer

from consumer.evaluation import Prediction
from consumer.source import DeadLetter, Origin
from events import cloudevents
from events.cloudevents import Headers

RECORD_BYTES = 200
"""Reckoned for a record beside its key and value."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way out."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """Bytes, about."""
        parts = len(self.key or b"") + len(self.value or b"") + cloudevents.size(self.headers)
        return RECORD_BYTES + parts


def prediction_record(
    topic: str,
    prediction: Prediction,
    origin: Origin,
    documents: str,
    checkpoint: str | None,
    step: int,
    now: datetime | None = None,
) -> Outgoing:
    """Write what was predicted of a document.

    Parameters
    ----------
    topic
        Of predictions.
    documents
        Topic that the document is of; ``origin`` is its place there.
    checkpoint, step
        Model version: the last checkpoint that was committed, if any, and the learning steps made
        since the stream began.
    """
    document, opinion = prediction.document, prediction.opinion
    value = {
        "id": document.id,
        "label": opinion.label,
        "probabilities": {name: round(share, 6) for name, share in prediction.top},
        "truth": document.label,
        "topic": documents,
        "partition": origin.partition,
        "offset": origin.offset,
        "checkpoint": checkpoint,
        "step": step,
        "time": (now or datetime.now(UTC)).isoformat(),
    }
    encoded = json.dumps(value, ensure_ascii=False).encode()
    return Outgoing(topic, document.id.encode(), encoded, [("content-type", b"application/json")])


def dead_letter_record(topic: str, letter: DeadLetter) -> Outgoing:
    """Write a dead letter: original key, value and headers, and why and where in headers.

    ``dl_reason``, ``dl_detail``, ``dl_topic``, ``dl_partition`` and ``dl_offset`` are added. Where
    the broker refuses it for its size, the letter goes without its large parts: ``dl_key_bytes``,
    ``dl_value_bytes`` or ``dl_headers_bytes`` say how many bytes are missing
    (`shortened`); the record itself is still at its position.
    """
    about: Headers = [
        ("dl_reason", str(letter.reason).encode()),
        ("dl_detail", letter.detail.encode()),
        ("dl_topic", letter.topic.encode()),
        ("dl_partition", str(letter.partition).encode()),
        ("dl_offset", str(letter.offset).encode()),
    ]
    # Names that were no UTF-8 came with surrogates, which can't be written again.
    kept = [
        (name.encode("utf-8", "backslashreplace").decode(), content)
        for name, content in letter.headers
    ]
    # The client takes no record with neither key nor value.
    value = b"" if letter.key is None and letter.value is None else letter.value
    return Outgoing(topic, letter.key, value, [*kept, *about])


def shortened(record: Outgoing, limit: int) -> Outgoing:
    """Leave out what is over a limit, in bytes, and say so: key, value, or original headers."""
    key, value, headers = record.key, record.value, record.headers
    missing = {}
    if key is not None and len(key) > limit:
        missing["dl_key_bytes"], key = len(key), None
    if value is not None and len(value) > limit:
        missing["dl_value_bytes"], value = len(value), b""
    size = sum(len(name.encode()) + len(content or b"") for name, content in headers)
    if size > limit:
        missing["dl_headers_bytes"] = size
        headers = [(name, content) for name, content in headers if name.startswith("dl_")]
    said = [(name, str(count).encode()) for name, count in missing.items()]
    return Outgoing(record.topic, key, value, [*headers, *said])


def send(producer: KafkaProducer, record: Outgoing) -> Any:
    """Hand a record to a producer; returns the future of its delivery."""
    return producer.send(record.topic, key=record.key, value=record.value, headers=record.headers)
