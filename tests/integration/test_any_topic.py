"""Topics that nobody prepared for newsreel are learned from, over a real broker."""

import shlex

import pytest
import structlog
from foreign_topics import FOREIGN, publish
from helpers import Inspect, Learn, Start, documents
from kafka import KafkaConsumer, TopicPartition
from kafka_records import KafkaRecord, record

from consumer.records.screening import UnusableTopicError
from newsreel.common import cli, kafka
from newsreel.common.kafka import Connection
from newsreel.events import label as wire
from newsreel.events.document import encode
from newsreel.events.label import Label
from newsreel.events.topics import Names

BAYES = ("--learner", "bayes")

IDLE = ("--stop-when-idle", 1)


def words(line: str) -> list[str]:
    """Return the options of a printed command, without those that the tests set themselves."""
    found = shlex.split(line)
    assert found[:4] == ["python", "-m", "consumer", "--topic"]
    pairs = list(zip(found[5::2], found[6::2], strict=True))
    return [word for pair in pairs if pair[0] != "--bootstrap-servers" for word in pair]


def options(found: list[str]) -> dict[str, str]:
    return dict(zip(found[::2], found[1::2], strict=True))


def dead_letters(connection: Connection, topic: str) -> int:
    with kafka.admin(connection) as admin:
        return kafka.count(admin, Names.of(topic).dead_letters)


@pytest.mark.parametrize("name", FOREIGN)
def test_learned(
    connection: Connection, learn: Learn, inspect: Inspect, topic: str, name: str
) -> None:
    """Inspect prints the documented options, with which every record is learned."""
    foreign = FOREIGN[name]
    publish(connection, topic, foreign.records)
    found = words(inspect("--topic", topic)[-1])
    given = options(found)
    assert {option: given.get(option) for option in foreign.options} == foreign.options
    assert given.keys() - foreign.options.keys() <= {"--id-field"}
    summary = learn(topic, *BAYES, *found, "--stop-after", foreign.documents)
    assert summary["documents"] == summary["learned_documents"] == foreign.documents
    assert summary["unlabelled_documents"] == summary["dead_letters"] == 0
    assert summary["labels"] == foreign.labels


def test_value_only(connection: Connection, learn: Learn, inspect: Inspect, topic: str) -> None:
    """Text without labels is predicted, nothing is learned, and both commands say so."""
    publish(connection, topic, [KafkaRecord(each.text.encode()) for each in documents(220)])
    lines = inspect("--topic", topic)
    assert any(line.startswith("labels     none found") for line in lines)
    with structlog.testing.capture_logs() as log:
        summary = learn(topic, *BAYES, *words(lines[-1]), "--stop-after", 220)
    assert summary["documents"] == summary["unlabelled_documents"] == 220
    assert summary["learned_documents"] == summary["dead_letters"] == 0
    assert any("--label-field" in line["event"] for line in log)


def test_unusable(
    connection: Connection,
    learn: Learn,
    topic: str,
    bootstrap_servers: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two thousand unusable records end the run with one line that names the options."""
    foreign = [
        record({"schema": {}, "payload": {"body": each.text, "queue": each.label}})
        for each in documents(2000)
    ]
    publish(connection, topic, foreign)
    errors: list[UnusableTopicError] = []

    def run(_: object) -> None:
        try:
            learn(topic, *BAYES, *IDLE)
        except UnusableTopicError as error:
            errors.append(error)
            raise

    assert cli.run("consumer", run, []) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line == f"consumer: {errors[0]}"
    assert "in the envelope of Kafka Connect" in line
    command = line.partition("start with ")[2].split()
    assert dead_letters(connection, topic) <= 128
    group = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=topic)
    assert group.committed(TopicPartition(topic, 0)) in {None, 0}
    group.close()
    summary = learn(topic, *BAYES, *command, "--stop-after", 2000)
    assert summary["documents"] == summary["learned_documents"] == 2000
    assert dead_letters(connection, topic) <= 128


def test_heldout_keys_that_repeat(connection: Connection, learn: Learn, topic: str) -> None:
    """A hundred held-out records with five keys are a hundred."""
    publish(connection, topic, [record({"text": d.text, "label": d.label}) for d in documents(32)])
    held_out = [
        record({"text": each.text, "label": each.label}, b"c%d" % (n % 5 + 1))
        for n, each in enumerate(documents(100, start=100))
    ]
    publish(connection, Names.of(topic).heldout, held_out)
    with structlog.testing.capture_logs() as log:
        summary = learn(topic, *BAYES, "--stop-after", 32)
    assert summary["heldout_documents"] == 100
    warnings = [line for line in log if "held-out documents repeat" in line["event"]]
    assert [(line["documents"], line["keys"]) for line in warnings] == [(100, 5)]


def test_late_labels_with_an_id_that_repeats(
    connection: Connection, consumer: Start, topic: str
) -> None:
    """A late label of an id that two waiting documents share is joined to neither; both count."""
    texts = {"card blocked": "c1", "app crashes": "c1", "order late": "c2"}
    publish(
        connection,
        topic,
        [KafkaRecord(None, b"c0"), *(record({"text": t}, k.encode()) for t, k in texts.items())],
    )
    labels = [wire.encode(Label(key, "cards"), "tests") for key in ("c1", "c2", "c1")]
    publish(
        connection,
        Names.of(topic).labels,
        [KafkaRecord(each.value, each.key, each.headers) for each in labels],
    )
    with consumer(topic, *BAYES, "--late-labels") as running:
        joined = 'newsreel_late_labels_total{fate="joined"} 1.0'
        running.wait_for(lambda: joined in running.get("/metrics"))
        shown = running.get("/metrics")
        assert 'newsreel_late_labels_total{fate="ambiguous"} 4.0' in shown
        assert 'newsreel_ignored_total{what="tombstone"} 1.0' in shown
        assert "newsreel_pending_documents 0.0" in shown
        assert running.log.count("share an id") == 1


def test_tombstones(connection: Connection, learn: Learn, topic: str) -> None:
    """The tombstones of a compacted topic are skipped, and no dead letters."""
    found: list[KafkaRecord] = []
    for each in documents(32):
        encoded = encode(each, "tests")
        found += [
            KafkaRecord(None, encoded.key),
            KafkaRecord(encoded.value, encoded.key, encoded.headers),
        ]
    publish(connection, topic, found)
    summary = learn(topic, *BAYES, "--stop-after", 32)
    assert summary["documents"] == summary["learned_documents"] == 32
    assert summary["dead_letters"] == 0
    assert dead_letters(connection, topic) == 0


def test_spellings(connection: Connection, learn: Learn, topic: str) -> None:
    """Labels are trimmed and composed; blank ones are none; case is warned of once."""
    labels = ["billing", "billing ", " billing", "Billing", "caf\u00e9", "cafe\u0301", " "]
    found = [
        record({"text": each.text, "label": labels[n % 7]}) for n, each in enumerate(documents(70))
    ]
    publish(connection, topic, found)
    with structlog.testing.capture_logs() as log:
        summary = learn(topic, *BAYES, "--stop-after", 70)
    assert summary["labels"] == 3
    assert summary["unlabelled_documents"] == 10
    warnings = [line["labels"] for line in log if "differ in case" in line["event"]]
    assert warnings == [["billing", "Billing"]]
