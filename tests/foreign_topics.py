"""Topics as other programs write them, with the options that read them."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from helpers import documents
from kafka import KafkaProducer
from kafka_records import KafkaRecord, record

from newsreel.common import kafka
from newsreel.common.kafka import Connection


class ForeignTopic(NamedTuple):
    """Records of another program, and what newsreel makes of them."""

    records: Sequence[KafkaRecord]
    options: dict[str, str]
    """Options that read them, as docs/topics.md has them."""
    documents: int
    labels: int


def publish(
    connection: Connection, topic: str, records: Iterable[KafkaRecord], partitions: int = 1
) -> None:
    """Write records to a topic that is created when missing."""
    with kafka.admin(connection) as admin:
        kafka.ensure(admin, topic, partitions)
    producer = KafkaProducer(**connection.options)
    sent = [
        producer.send(
            topic,
            key=each.key,
            value=each.value,
            headers=list(each.headers),
            partition=number % partitions,
        )
        for number, each in enumerate(records)
    ]
    for delivery in sent:
        delivery.get(timeout=30)
    producer.close()


COUNT = 48

DOCUMENTS = documents(COUNT)


def _made(make: Callable[[int, str, str], KafkaRecord]) -> list[KafkaRecord]:
    return [make(n, each.text, str(each.label)) for n, each in enumerate(DOCUMENTS)]


def _change(before: Any, after: Any, op: str, number: int) -> KafkaRecord:
    payload = {"before": before, "after": after, "source": {"db": "desk"}, "op": op, "ts_ms": 1}
    key = json.dumps({"schema": {}, "payload": {"id": number}}).encode()
    return record({"schema": {"type": "struct"}, "payload": payload}, key)


def _debezium() -> list[KafkaRecord]:
    """Return created rows, and for each eighth an event of its deletion and a tombstone."""
    found = []
    for n, each in enumerate(DOCUMENTS):
        row = {"id": n, "body": each.text, "queue": each.label}
        found.append(_change(None, row, "c", n))
        if n % 8 == 0:
            found += [_change(row, None, "d", n), KafkaRecord(None, found[-1].key)]
    return found


def _event(number: int, text: str, label: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"9f{number}",
        "source": "https://example.com/desk",
        "type": "com.example.ticket.created",
        "data": {"message": text, "intent": label},
    }


FOREIGN: dict[str, ForeignTopic] = {
    "debezium": ForeignTopic(
        _debezium(),
        {"--text-field": "payload.after.body", "--label-field": "payload.after.queue"},
        COUNT,
        2,
    ),
    "connect": ForeignTopic(
        _made(
            lambda n, text, label: record(
                {"schema": {"type": "struct"}, "payload": {"id": n, "text": text, "label": label}},
                b'{"schema": {}, "payload": %d}' % n,
            )
        ),
        {"--text-field": "payload.text", "--label-field": "payload.label"},
        COUNT,
        2,
    ),
    "json-registry": ForeignTopic(
        _made(
            lambda n, text, label: KafkaRecord(
                b"\0\0\0\0\x2a" + json.dumps({"text": text, "label": label}).encode(),
                b"\0\0\0\0\x07%d" % n,
            )
        ),
        {"--format": "json-registry"},
        COUNT,
        2,
    ),
    "console-header": ForeignTopic(
        _made(lambda _, text, label: KafkaRecord(text.encode(), None, [("label", label.encode())])),
        {"--format": "text"},
        COUNT,
        2,
    ),
    "console-key": ForeignTopic(
        _made(lambda _, text, label: KafkaRecord(text.encode(), label.encode())),
        {"--format": "text", "--label-field": "key"},
        COUNT,
        2,
    ),
    "events-binary": ForeignTopic(
        _made(
            lambda n, text, label: record(
                {"message": text, "intent": label},
                b"customer-%d" % (n % 3),
                ce_specversion=b"1.0",
                ce_id=b"9f%d" % n,
                ce_source=b"https://example.com/desk",
                ce_type=b"com.example.ticket.created",
            )
        ),
        {"--text-field": "message", "--label-field": "intent"},
        COUNT,
        2,
    ),
    "events-structured": ForeignTopic(
        _made(
            lambda n, text, label: record(
                _event(n, text, label),
                b"customer-%d" % (n % 3),
                **{"content-type": b"application/cloudevents+json"},
            )
        ),
        {"--text-field": "message", "--label-field": "intent"},
        COUNT,
        2,
    ),
    "tickets": ForeignTopic(
        _made(
            lambda n, text, label: record(
                {
                    "ticket": {"subject": f"ticket number {n}", "body": text},
                    "queue": 3 if label == "space" else 4.0,
                    "created": "2026-01-05 12:00",
                },
                (387 + 7919 * n).to_bytes(8, "big"),
            )
        ),
        {
            "--text-field": "ticket.subject,ticket.body",
            "--label-field": "queue",
            "--time-field": "created",
        },
        COUNT,
        2,
    ),
}
