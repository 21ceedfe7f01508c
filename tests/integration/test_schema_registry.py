"""Avro behind a real schema registry, which may be away for a while."""

import json
import shlex
import signal
import time
import urllib.error
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import fastavro
import httpx
import pytest
from foreign_topics import publish
from helpers import Consumer, Learn, Start, documents
from kafka_records import KafkaRecord

from consumer import __main__ as program
from harness.maven import FetchError
from harness.registry import ApicurioRegistry
from newsreel.common import cli, kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import Document
from newsreel.events.topics import Names

BAYES = ("--learner", "bayes")

CUSTOMER = {
    "type": "record",
    "name": "desk.Customer",
    "fields": [{"name": "country", "type": "string"}],
}

TICKET: dict[str, Any] = {
    "type": "record",
    "name": "desk.Ticket",
    "fields": [
        {"name": "number", "type": "long"},
        {
            "name": "ticket",
            "type": {
                "type": "record",
                "name": "Content",
                "fields": [
                    {"name": "subject", "type": ["null", "string"], "default": None},
                    {"name": "body", "type": "string"},
                ],
            },
        },
        {"name": "queue", "type": ["null", "string", "int"]},
        {"name": "created", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "customer", "type": "desk.Customer"},
    ],
}

EVOLVED = TICKET | {
    "fields": [
        {"name": "priority", "type": "double", "default": 0.5},
        *TICKET["fields"],
        {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
    ]
}

REFERENCES = [{"name": "desk.Customer", "subject": "desk/customer", "version": 1}]

OPTIONS = {
    "--text-field": "ticket.subject,ticket.body",
    "--label-field": "queue",
    "--time-field": "created",
}

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApicurioRegistry]:
    """Run a registry with the schema of a customer."""
    found = ApicurioRegistry(tmp_path_factory.mktemp("registry"))
    try:
        found.start()
    except FetchError as error:
        pytest.skip(str(error))
    try:
        register(found, "desk%2Fcustomer", CUSTOMER)
        yield found
    finally:
        found.stop()


def register(
    registry: ApicurioRegistry, subject: str, schema: Any, references: Iterable[Any] = ()
) -> int:
    """Register a schema and return its number."""
    answer = httpx.post(
        f"{registry.url}/subjects/{subject}/versions",
        json={"schema": json.dumps(schema), "references": list(references)},
    )
    answer.raise_for_status()
    return int(answer.json()["id"])


def avro(number: int, schema: Any, items: Iterable[Document]) -> list[KafkaRecord]:
    """Return records as the serializer of a registry writes them."""
    named: dict[str, Any] = {}
    fastavro.parse_schema(CUSTOMER, named_schemas=named)
    parsed = fastavro.parse_schema(schema, named_schemas=named)
    records = []
    for n, each in enumerate(items):
        value = {
            "number": n,
            "ticket": {"subject": None if n % 3 == 0 else "a question", "body": each.text},
            "queue": each.label if n % 2 else {"sport": 1, "space": 2}[str(each.label)],
            "created": NOON + timedelta(minutes=n),
            "customer": {"country": ("DE", "FR", "IT", "ES", "PT")[n % 5]},
        }
        body = BytesIO()
        fastavro.schemaless_writer(body, parsed, value)
        records.append(KafkaRecord(b"\0" + number.to_bytes(4, "big") + body.getvalue()))
    return records


def options(registry: ApicurioRegistry) -> list[str]:
    return ["--format", "avro", "--schema-registry", registry.url]


def chosen() -> list[str]:
    return [word for pair in OPTIONS.items() for word in pair]


def test_learned(
    connection: Connection,
    learn: Learn,
    registry: ApicurioRegistry,
    topic: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Unions, nested records, logical times, references and evolved schemas are read."""
    first = register(registry, f"{topic}-value", TICKET, REFERENCES)
    second = register(registry, f"{topic}-value", EVOLVED, REFERENCES)
    assert first != second
    records = [
        *avro(first, TICKET, documents(32)),
        *avro(second, EVOLVED, documents(32, start=32)),
    ]
    publish(connection, topic, records)
    servers = ["--bootstrap-servers", connection.bootstrap_servers]
    program.inspect(["--topic", topic, *servers, *options(registry)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith(
        "values     avro of a schema registry with the fields number, ticket.subject, ticket.body"
    )
    found = shlex.split(lines[-1])[3:]
    given = dict(zip(found[::2], found[1::2], strict=True))
    assert {name: given[name] for name in OPTIONS} == OPTIONS
    assert "readable   64 of 64 records with the options below" in lines
    assert "times      in created: 64, 2026-01-05 12:00 to 2026-01-05 12:31 UTC" in lines
    summary = learn(*found[1:], *BAYES, "--stop-after", 64)
    assert summary["documents"] == summary["learned_documents"] == 64
    assert summary["dead_letters"] == 0
    assert summary["labels"] == 2


def predicted(connection: Connection, topic: str) -> list[int]:
    return [
        json.loads(record.value)["offset"]
        for record in kafka.read(connection, Names.of(topic).predictions)
    ]


def test_exactly_once(
    connection: Connection,
    consumer: Start,
    learn: Learn,
    registry: ApicurioRegistry,
    topic: str,
) -> None:
    """After SIGKILL each record has one prediction, and one without a schema one dead letter."""
    number = register(registry, f"{topic}-value", TICKET, REFERENCES)
    records = avro(number, TICKET, documents(162))
    bad = {20, 100}
    for offset in bad:
        records[offset] = KafkaRecord(b"\0\0\0\xff\xff" + (records[offset].value or b"")[5:])
    publish(connection, topic, records[:130])
    always = (*BAYES, *options(registry), *chosen(), "--checkpoint-every", 16)
    with consumer(topic, *always) as running:
        running.wait_for(lambda: running.progress()["documents"] >= 64)
        running.end(signal.SIGKILL)
    publish(connection, topic, records[130:])
    summary = learn(topic, *always, "--stop-after", 160 - len(predicted(connection, topic)))
    assert summary["documents"] == summary["learned_documents"] == 160
    assert predicted(connection, topic) == [n for n in range(162) if n not in bad]
    letters = list(kafka.read(connection, Names.of(topic).dead_letters))
    found = [dict(letter.headers) for letter in letters]
    assert [int(headers["dl_offset"]) for headers in found] == sorted(bad)
    assert {headers["dl_reason"] for headers in found} == {b"bad_schema"}
    assert b"no schema 65535" in found[0]["dl_detail"]


def unready(running: Consumer) -> str:
    """Return why a consumer is not ready; empty if it is."""
    try:
        running.get("/readyz")
    except urllib.error.HTTPError as error:
        return error.read().decode()
    return ""


def test_registry_away(
    connection: Connection, consumer: Start, registry: ApicurioRegistry, topic: str
) -> None:
    """While the registry is away the consumer waits and says so; then it goes on, without loss."""
    first = register(registry, f"{topic}-value", TICKET, REFERENCES)
    second = register(registry, f"{topic}-value", EVOLVED, REFERENCES)
    publish(connection, topic, avro(first, TICKET, documents(16)))
    with consumer(topic, *BAYES, *options(registry), *chosen()) as running:
        running.wait_for(lambda: running.progress()["documents"] == 16)
        assert not unready(running)
        registry.stop()
        try:
            # Schemas that are known need no registry.
            publish(connection, topic, avro(first, TICKET, documents(16, start=16)))
            running.wait_for(lambda: running.progress()["documents"] == 32)
            publish(connection, topic, avro(second, EVOLVED, documents(16, start=32)))
            running.wait_for(lambda: "schema registry" in unready(running))
            assert running.log.count("waiting for the schema registry") == 1
            time.sleep(1.5)
            assert running.progress()["documents"] == 32
        finally:
            registry.start()
        running.wait_for(lambda: running.progress()["documents"] == 48)
        running.wait_for(lambda: not unready(running))
        assert running.end(signal.SIGTERM) == 0
    assert predicted(connection, topic) == list(range(48))
    with kafka.admin(connection) as admin:
        assert kafka.count(admin, Names.of(topic).dead_letters) == 0


def test_no_registry(
    connection: Connection,
    learn: Learn,
    topic: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A start without a registry is one line that names the address and the option."""
    publish(connection, topic, [KafkaRecord(b"\0\0\0\0\1a")])
    away = ["--format", "avro", "--schema-registry", "http://127.0.0.1:1"]
    servers = ["--bootstrap-servers", connection.bootstrap_servers]
    for run in (
        lambda _: learn(topic, *BAYES, *away),
        lambda _: program.inspect(["--topic", topic, *servers, *away]),
    ):
        capsys.readouterr()
        assert cli.run("consumer", run, []) == 2
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert "the schema registry at 'http://127.0.0.1:1' does not answer" in line
        assert "--schema-registry" in line
