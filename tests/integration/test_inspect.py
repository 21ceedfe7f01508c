"""`python -m consumer inspect` looks at a topic and changes nothing."""

import pytest
from foreign_topics import FOREIGN, publish
from helpers import Inspect, Run, documents
from kafka_records import KafkaRecord, record

from newsreel.common import kafka
from newsreel.common.kafka import Connection


def test_report(run: Run, connection: Connection, topic: str) -> None:
    """The whole report on a topic of support tickets with binary keys."""
    publish(connection, topic, FOREIGN["tickets"].records)
    result = run("consumer", "inspect", "--topic", topic)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:6] == [
        f"topic      {topic}: 1 partition, 48 offsets",
        "sample     48 records",
        "values     JSON objects with the fields ticket.subject, ticket.body, queue, created",
        "keys       48 of 48 records, 48 different, 48 of them bytes that are no text, so no ids",
        "headers    none",
        (
            "texts      in ticket.subject, ticket.body: 54 to 63 characters, median 58;"
            " letters: Latin 100 %"
        ),
    ]
    assert "labels     in queue: 2 labels of 48 of 48 documents: 4 (24), 3 (24)" in lines
    assert "ids        from key, event or position: all different" in lines
    assert "times      in created: 48, 2026-01-05 12:00 to 2026-01-05 12:00 UTC" in lines
    assert "readable   48 of 48 records with the options below" in lines
    assert "--label-field queue --time-field created" in lines[-1]


def test_nothing_is_changed(connection: Connection, inspect: Inspect, topic: str) -> None:
    """No group is made, no offset is committed, no topic is created, no record is written."""
    publish(connection, topic, FOREIGN["connect"].records)
    with kafka.admin(connection) as admin:
        assert inspect("--topic", topic)[-1].startswith("python -m consumer")
        # Other tests share the broker.
        assert [name for name in admin.list_topics() if name.startswith(topic)] == [topic]
        assert not [group for group in admin.list_groups() if topic in str(group)]
        assert kafka.count(admin, topic) == 48


def test_sample(connection: Connection, inspect: Inspect, topic: str) -> None:
    """The first and the last records of each partition are read, not the whole topic."""
    found = [record({"text": each.text, "label": each.label}) for each in documents(300)]
    publish(connection, topic, found, partitions=3)
    lines = inspect("--topic", topic, "--sample", 30)
    assert lines[0] == f"topic      {topic}: 3 partitions, 300 offsets"
    assert lines[1] == "sample     30 records"
    assert inspect("--topic", topic, "--sample", 1)[1] == "sample     6 records"
    assert inspect("--topic", topic)[1] == "sample     300 records"


def test_empty_and_missing(connection: Connection, inspect: Inspect, topic: str) -> None:
    """An empty topic has no records yet; a missing one is an error, and is not created."""
    (error,) = inspect("--topic", topic)
    assert f"topic '{topic}' does not exist" in error
    with kafka.admin(connection) as admin:
        assert topic not in admin.list_topics()
    publish(connection, topic, [])
    assert "no records yet" in inspect("--topic", topic)[-1]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"\x1f\x8b\x08\0", "compression.type"),
        (b"\0\0\0\0\x2a\2a", "--format avro --schema-registry URL"),
        (b"\xac\xed\0\5t", "serialized by Java"),
        (None, "records without values"),
    ],
)
def test_unreadable(
    connection: Connection, inspect: Inspect, topic: str, value: bytes | None, says: str
) -> None:
    """Records that no options read are named, with what helps; no command is printed."""
    publish(connection, topic, [KafkaRecord(value, b"k")] * 5)
    lines = inspect("--topic", topic)
    assert any(says in line for line in lines)
    assert not any(line.startswith("python") for line in lines)


def test_given_options(connection: Connection, inspect: Inspect, topic: str) -> None:
    """Options that are given are kept in the command."""
    publish(connection, topic, FOREIGN["tickets"].records)
    lines = inspect("--topic", topic, "--label-field", "ticket.subject", "--id-field", "none")
    assert "--label-field ticket.subject" in lines[-1]
    assert "--id-field none" in lines[-1]
    assert "--text-field ticket.subject,ticket.body" in lines[-1]


def test_mistakes(connection: Connection, inspect: Inspect, topic: str) -> None:
    """A mistake in the options is one line with a remedy."""
    publish(connection, topic, FOREIGN["connect"].records[:1])
    (line,) = inspect("--topic", topic, "--text-field", "a,,b")
    assert "is no place in a record" in line
    (line,) = inspect("--topic", topic, "--format", "avro")
    assert "--schema-registry" in line
    (line,) = inspect("--topik", topic)
    assert "--topic" in line
