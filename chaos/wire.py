"""Write streams to Kafka, and read committed offsets."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from chaos.trial import RecordFormat
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.cloudevents import Headers
from newsreel.events.document import Document, encode

WORDS = {
    "sport": "hockey goal team player season coach match league score puck referee stadium",
    "space": "orbit rocket moon launch satellite shuttle nasa mars probe comet telescope crew",
    "cars": "engine brake wheel clutch diesel tyre gearbox road driver mileage turbo dealer",
    "medicine": "doctor patient dose vaccine surgery symptom nurse clinic therapy fever drug trial",
    "cooking": "oven garlic butter recipe onion flour salt simmer knife sauce bread spice",
}

COMMON = "the a number of this with about people time year first new said good large"

TEXT_WORDS = 14

SCHEMA = b"\x00\x00\x00\x00\x2a"
"""Bytes that the client of a schema registry writes before a value, here of schema 42."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A record of Kafka with any content."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def documents(count: int, random: Random) -> list[Document]:
    """Make different documents of several labels, whose words mostly identify the label."""
    items = []
    for number in range(count):
        label = random.choice(list(WORDS))
        words = random.choices([*WORDS[label].split(), *COMMON.split()], k=TEXT_WORDS)
        items.append(Document(f"doc-{number}", f"{' '.join(words)} {number}", label))
    return items


def in_format(items: Iterable[Document], name: RecordFormat) -> list[Raw]:
    """Encode documents in a format of the consumer."""
    prefix = SCHEMA if name == "json-registry" else b""
    return [
        Raw(record.key, prefix + (record.value or b""), record.headers)
        for record in map(_raw, items)
    ]


def publish(
    connection: Connection, topic: str, items: Iterable[Document | Raw], partitions: int = 1
) -> list[tuple[int, int]]:
    """Create a topic and write documents and raw records to its partitions in turn.

    Returns
    -------
    list of (int, int)
        Partition and offset of each record.
    """
    with kafka.admin(connection) as admin:
        kafka.ensure(admin, topic, partitions)
    producer = KafkaProducer(
        **connection.options, compression_type="gzip", max_request_size=16 << 20
    )
    sent = []
    for number, item in enumerate(items):
        record = _raw(item)
        sent.append(
            producer.send(
                topic,
                key=record.key,
                value=record.value,
                headers=record.headers,
                partition=number % partitions,
            )
        )
    written = [delivery.get(timeout=60) for delivery in sent]
    producer.close()
    return [(each.partition, each.offset) for each in written]


def committed(connection: Connection, group: str, topic: str) -> dict[int, int]:
    """Return a group's committed offsets by partition."""
    with kafka.admin(connection) as admin:
        numbers = kafka.partitions(admin, topic)
    consumer = KafkaConsumer(**connection.options, group_id=group)
    offsets = {number: consumer.committed(TopicPartition(topic, number)) for number in numbers}
    consumer.close()
    return offsets


def _raw(item: Document | Raw) -> Raw:
    if isinstance(item, Raw):
        return item
    record = encode(item, source="chaos")
    return Raw(record.key, record.value, record.headers)
