"""The producer as a process, against a real broker."""

import csv
import itertools
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource
from kafka.consumer.fetcher import ConsumerRecord

from consumer.records.config import RecordConfig
from consumer.records.reader import RecordReader
from harness.broker import EmbeddedKafka, free_port
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events import change
from newsreel.events.document import Document
from newsreel.events.topics import Names
from producer import arrivals, connection
from producer.publisher import DeliveryError, PublishCounts

Run = Callable[..., subprocess.CompletedProcess[str]]

Read = Callable[[str], list[Document]]

Values = Callable[[str], list[bytes]]

ROOT = Path(__file__).parent.parent.parent

DOCUMENTS = [
    Document("own.csv:1", "hello, world", "greeting"),
    Document("own.csv:2", "two\nlines", "7"),
    Document("own.csv:3", "\u4f60\u597d \U0001f44b"),
]


@pytest.fixture
def admin(connection: Connection) -> Iterator[KafkaAdminClient]:
    with kafka.admin(connection) as client:
        yield client


@pytest.fixture
def records(connection: Connection) -> Callable[[str], list[ConsumerRecord]]:
    """Return a function that reads a topic from its beginning to its end."""

    def call(topic: str) -> list[ConsumerRecord]:
        consumer = KafkaConsumer(**connection.options, enable_auto_commit=False)
        with kafka.admin(connection) as admin:
            numbers = kafka.partitions(admin, topic)
        partitions = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        missing = sum(consumer.end_offsets(partitions).values())
        found: list[ConsumerRecord] = []
        while len(found) < missing:
            found += itertools.chain.from_iterable(consumer.poll(timeout_ms=1000).values())
        consumer.close()
        return found

    return call


@pytest.fixture
def published(records: Callable[[str], list[ConsumerRecord]]) -> Read:
    """Return a function that reads the documents of a topic."""

    def call(topic: str) -> list[Document]:
        reader = RecordReader.build(RecordConfig())
        found = [reader.read(record).document for record in records(topic)]
        return [document for document in found if document is not None]

    return call


@pytest.fixture
def values(records: Callable[[str], list[ConsumerRecord]]) -> Values:
    """Return a function that reads the values of a topic."""
    return lambda topic: [record.value for record in records(topic)]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Write a file of a user; one of its rows has no text."""
    path = tmp_path / "own.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "text"])
        writer.writerows([document.label, document.text] for document in DOCUMENTS)
        writer.writerow(["nothing", ""])
    return path


@contextmanager
def running(bootstrap_servers: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "producer", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_own_file(
    run: Run, own: Path, topic: str, admin: KafkaAdminClient, published: Read
) -> None:
    """A file is published unchanged to a topic with the given partitions; counts are logged."""
    result = run("producer", "--corpus", own, "--topic", topic, "--partitions", 3)
    assert result.returncode == 0, result.stderr
    assert sorted(published(topic), key=lambda document: document.id) == DOCUMENTS
    assert kafka.partitions(admin, topic) == [0, 1, 2]
    skipped, last = result.stderr.splitlines()[-2:]
    assert "documents=1 first=\"document 'own.csv:4': text: it is empty\"" in skipped
    for part in ("published", "delivered=3", "failed=0", "skipped=1", f"topic={topic}"):
        assert part in last
    assert re.search(r"seconds=\d+\.\d", last)
    assert re.search(r"per_second=\d+", last)


def test_order_and_passes(
    run: Run, own: Path, topic: str, admin: KafkaAdminClient, published: Read
) -> None:
    """One partition keeps the order; an existing topic is used as it is."""
    kafka.ensure(admin, topic, 1)
    result = run(
        "producer", "--corpus", own, "--topic", topic, "--partitions", 9,
        "--scenario", "as-is", "--repeat", 2, "--limit", 6,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    ids = [document.id for document in published(topic)]
    assert ids == ["own.csv:1", "own.csv:2", "own.csv:3", "own.csv:1#2", "own.csv:2#2"]
    assert kafka.partitions(admin, topic) == [0]


def test_truth(run: Run, tmp_path: Path, topic: str, published: Read, values: Values) -> None:
    """Changes are published to the topic of truth, also by a resumed run."""
    path = tmp_path / "own.csv"
    path.write_text("label,text\n" + "a,text\n" * 6 + "b,text\n")
    command = ("producer", "--corpus", path, "--topic", topic, "--repeat", 2)
    scenario = ("--scenario", "as-is,label-swap:start=5:labels=2,noise:share=1:start=12")
    for more in (("--limit", 8), ("--resume",)):
        result = run(*command, *scenario, *more)
        assert result.returncode == 0, result.stderr
    assert "".join(document.label or "" for document in published(topic)) == "aaaaababbbbbab"
    truth = [change.decode(value) for value in values(Names.of(topic).truth)]
    assert [(item.scenario, item.what, item.documents, item.details) for item in truth] == [
        ("label-swap", "labels exchanged", 5, {"pairs": [["a", "b"]]}),
        ("noise", "labels wrong", 12, {"share": 1.0}),
        ("noise", "wrong label", 12, {"id": "own.csv:6#2", "label": "b"}),
        ("noise", "wrong label", 13, {"id": "own.csv:7#2", "label": "a"}),
    ]
    age = datetime.now(UTC) - truth[0].time
    assert timedelta(0) <= age < timedelta(minutes=5)


def test_change_after_the_end(run: Run, own: Path, topic: str) -> None:
    """A stream that ends before its change is published, with a warning."""
    scenario = "as-is,label-swap:start=9:labels=2,noise:share=1:start=2"
    result = run("producer", "--corpus", own, "--topic", topic, "--scenario", scenario)
    assert result.returncode == 0, result.stderr
    warned = [line for line in result.stderr.splitlines() if "nothing changed" in line]
    assert len(warned) == 1
    assert "documents=3" in warned[0]
    assert "scenario=label-swap" in warned[0]


def test_no_truth(run: Run, own: Path, topic: str, admin: KafkaAdminClient) -> None:
    """A stream without changes has no topic of truth."""
    assert run("producer", "--corpus", own, "--topic", topic).returncode == 0
    assert Names.of(topic).truth not in admin.list_topics()


def test_unsuitable_corpus(run: Run, own: Path, topic: str, admin: KafkaAdminClient) -> None:
    """A corpus that does not fit the scenario gives a one-line error and leaves no topic behind."""
    scenario = "class-incremental:groups=9"
    ended = run("producer", "--corpus", own, "--topic", topic, "--scenario", scenario)
    assert ended.returncode == 2
    assert "class-incremental" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not any(name.startswith(topic) for name in admin.list_topics())


def test_heldout_topic(run: Run, tmp_path: Path, topic: str, published: Read) -> None:
    """The test split can be published to the topic of held-out documents."""
    for split in ("train", "test"):
        (tmp_path / f"20news-bydate-{split}/sci.space").mkdir(parents=True)
        (tmp_path / f"20news-bydate-{split}/sci.space/1").write_text(f"{split} text")
    heldout = Names.of(topic).heldout
    result = run("producer", "--corpus", tmp_path, "--topic", heldout, "--split", "test")
    assert result.returncode == 0, result.stderr
    assert published(heldout) == [Document("test/sci.space/1", "test text", "sci.space")]


def test_topics_that_keep_their_records(
    run: Run, own: Path, topic: str, admin: KafkaAdminClient
) -> None:
    """Held-out documents and the truth are never deleted; the broker decides about documents."""
    truth, heldout = f"ml-truth-{topic}", Names.of(topic).heldout
    change = ("--scenario", "as-is,label-swap:start=1:labels=2", "--truth-topic", truth)
    for name, options in ((topic, change), (heldout, ()), (f"{topic}-kept", ("--keep-records",))):
        result = run("producer", "--corpus", own, "--topic", name, *options)
        assert result.returncode == 0, result.stderr
    for name in (truth, heldout, f"{topic}-kept"):
        assert retention(admin, name) == {"retention.ms": "-1", "retention.bytes": "-1"}
    assert retention(admin, topic)["retention.ms"] != "-1"
    assert Names.of(topic).truth not in admin.list_topics()


def retention(client: KafkaAdminClient, topic: str) -> dict[str, str]:
    names = ("retention.ms", "retention.bytes")
    wanted = ConfigResource("topic", topic, dict.fromkeys(names))
    found = client.describe_configs([wanted], config_filter="all")["topic"][topic]
    return {name: found[name]["value"] for name in names}


def test_poisson_rate(run: Run, own: Path, topic: str) -> None:
    """Documents are not published before their arrival times, which depend on the seed."""
    last = next(itertools.islice(arrivals.poisson(100.0, Random(3)), 59, None))
    result = run(
        "producer", "--corpus", own, "--topic", topic, "--repeat", 99, "--limit", 60,
        "--rate", 100, "--arrivals", "poisson", "--seed", 3,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    match = re.search(r"seconds=(\d+\.\d)", result.stderr)
    assert match
    assert float(match[1]) >= round(last, 1) - 0.1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_in_mid_stream(
    bootstrap_servers: str,
    own: Path,
    topic: str,
    published: Read,
    number: signal.Signals,
) -> None:
    """A signal ends the stream: sent documents are delivered and counted, the exit code is 0."""
    port = free_port()
    options = ("--repeat", 10_000, "--rate", 50, "--metrics-port", port)
    with running(bootstrap_servers, "--corpus", own, "--topic", topic, *options) as process:
        delivered = 0.0
        while delivered == 0 and process.poll() is None:
            delivered = scrape(port)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    match = re.search(r"published .*delivered=(\d+)", errors.splitlines()[-1])
    assert match
    assert delivered <= int(match[1]) == len(published(topic)) < 30_000


def scrape(port: int) -> float:
    """Return the number of delivered documents from the metrics; 0 while none are served."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            metrics = answer.read().decode()
    except OSError:
        time.sleep(0.05)
        return 0.0
    found = re.search(r"\nnewsreel_producer_documents_total (.*)", metrics)
    return float(found[1]) if found else 0.0


def test_too_large_for_the_topic(
    run: Run, tmp_path: Path, topic: str, admin: KafkaAdminClient, published: Read
) -> None:
    """A document that is too large for the topic fails alone, and the exit code is 1."""
    configs = {"max.message.bytes": "5000"}
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1, "configs": configs}})
    admin.wait_for_topics([topic])
    path = tmp_path / "own.csv"
    path.write_text(f"text\nbefore\n{'x' * 6000}\nafter\n")
    result = run("producer", "--corpus", path, "--topic", topic, "--scenario", "as-is")
    assert result.returncode == 1
    assert [document.text for document in published(topic)] == ["before", "after"]
    assert "document 'own.csv:2': its 60" in result.stderr
    assert "delivered=2 failed=1" in result.stderr


def test_broken_row(run: Run, tmp_path: Path, topic: str, published: Read) -> None:
    """A broken row ends the stream with its line; the rows before it are delivered and counted."""
    path = tmp_path / "own.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\nbroken\n')
    result = run("producer", "--corpus", path, "--topic", topic, "--scenario", "as-is")
    assert result.returncode == 2
    assert [document.text for document in published(topic)] == ["a", "b"]
    report, error = result.stderr.splitlines()[-2:]
    assert "delivered=2" in report
    assert error.startswith(f"producer: {path}, line 3: not JSON")


def test_table_of_a_spreadsheet(run: Run, tmp_path: Path, topic: str, published: Read) -> None:
    """A table is published as it is recognized; a bad row is skipped, and ids count it."""
    path = tmp_path / "own.txt"
    rows = (
        ["sch\u00f6n und gro\u00df;gut\r\n"] * 60
        + ["kaputt\r\n"]
        + ["gr\u00e4sslich und klein;schlecht\r\n"] * 60
    )
    path.write_bytes("".join(rows).encode("cp1252"))
    result = run("producer", "--corpus", path, "--topic", topic, "--scenario", "as-is")
    assert result.returncode == 0, result.stderr
    assert "read as: semicolon, double quotes, no header, cp1252" in result.stderr
    assert "rows skipped" in result.stderr
    documents = published(topic)
    assert documents[0] == Document("own.txt:1", "sch\u00f6n und gro\u00df", "gut")
    assert documents[60] == Document("own.txt:62", "gr\u00e4sslich und klein", "schlecht")


def test_options_of_tables(run: Run, tmp_path: Path, topic: str, published: Read) -> None:
    """What is recognized can be given; the first bad row can be the end."""
    path = tmp_path / "own.txt"
    path.write_bytes("'caf\u00e9' gut\n".encode("mac-roman") + b"broken\n")
    options = ["--separator", "space", "--quoting", "single", "--header", "no"]
    options += ["--encoding", "mac-roman", "--text-column", "1", "--label-column", "2"]
    options += ["--scenario", "as-is", "--bad-rows", "stop"]
    result = run("producer", "--corpus", path, "--topic", topic, *options)
    assert result.returncode == 2
    assert f"{path}, line 2: 1 cell instead of 2" in result.stderr
    assert published(topic) == [Document("own.txt:1", "caf\u00e9", "gut")]


def test_lost_broker(tmp_path: Path) -> None:
    """A broker that does not return ends the stream; the error has the number delivered."""
    counts = PublishCounts()

    def stream(broker: EmbeddedKafka) -> None:
        servers = Connection(broker.bootstrap_servers)
        with connection.connect(
            servers, Names.of("documents"), "tests", counts, patience=3.0
        ) as publisher:
            publisher.publish(Document("1", "text"))
            publisher.flush()
            broker.stop()
            publisher.publish(Document("2", "text"))

    with EmbeddedKafka(tmp_path) as broker:
        with kafka.admin(Connection(broker.bootstrap_servers)) as client:
            kafka.ensure(client, "documents", 1)
        with pytest.raises(DeliveryError, match=r"\(no answer for 3 s\): 1 were delivered"):
            stream(broker)
    assert counts.delivered == 1


def test_resume_continues_at_the_end_of_the_topic(
    run: Run, published: Read, topic: str, tmp_path: Path
) -> None:
    """A run with --resume publishes missing documents and none twice, also with skipped rows."""
    texts = [f"text {number}" if number % 5 else " " for number in range(30)]
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"{text},x\n" for text in texts))
    options = ("--corpus", path, "--topic", topic, "--partitions", 2, "--resume")
    for limit in (12, 30, 30):
        result = run("producer", *options, "--limit", limit)
        assert result.returncode == 0, result.stderr
    found = [document.text for document in published(topic)]
    assert sorted(found) == sorted(text for text in texts if text.strip())
