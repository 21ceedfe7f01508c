"""What leaves the consumer, as Kafka records."""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaProducer

from consumer.drift.adaptation import Drift
from consumer.evaluation import Prediction
from consumer.source import DeadLetter, Origin
from events import cloudevents
from events.cloudevents import Headers

JSON: Headers = [("content-type", b"application/json")]
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


def prediction_record(
    topic: str,
    prediction: Prediction,
    origin: Origin,
    documents: str,
    group: str,
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
    group
        Whose model it is: groups that read one topic write to one topic of predictions.
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
        "group": group,
        "checkpoint": checkpoint,
        "step": step,
        "time": (now or datetime.now(UTC)).isoformat(),
    }
    encoded = json.dumps(value, ensure_ascii=False).encode()
    return Outgoing(topic, document.id.encode(), encoded, JSON)


def drift_record(
    topic: str, drift: Drift, documents: str, group: str, now: datetime | None = None
) -> Outgoing:
    """Write that a change was noticed, or answered.

    Parameters
    ----------
    topic
        Of drifts.
    documents, group
        Topic that changed, and whose model noticed.
    """
    value = {
        **asdict(drift),
        "topic": documents,
        "group": group,
        "time": (now or datetime.now(UTC)).isoformat(),
    }
    encoded = json.dumps(value, ensure_ascii=False).encode()
    return Outgoing(topic, drift.detector.encode(), encoded, JSON)


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
    # Names that were no UTF-8 came with surrogates, which can't be written again; nor can the
    # client write a header that is null.
    kept = [
        (name.encode("utf-8", "backslashreplace").decode(), content or b"")
        for name, content in letter.headers
    ]
    return Outgoing(topic, letter.key, letter.value, kept, about)


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
