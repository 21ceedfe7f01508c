"""Records that their topic refuses never stop commits; only they change their form."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from kafka import OffsetAndMetadata
from structlog.testing import capture_logs

from consumer.checkpoints.interrupts import Interrupts
from consumer.commit.writer import dead_letter_record, drift_record, prediction_record
from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import LabelProbability, Prediction
from consumer.kafka import sending
from consumer.kafka.batch import DeadLetter, Origin
from consumer.kafka.offsets import committed
from consumer.kafka.outbox import Outgoing, send
from consumer.kafka.plain_commits import PlainCommits
from consumer.kafka.transaction import Transactions
from harness.apache import ApacheKafka
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import Document
from newsreel.events.errors import Reason
from newsreel.events.topics import Names

GROUP = "readers"

Kind = type[Transactions] | type[PlainCommits]

BOTH = pytest.mark.parametrize("kind", [Transactions, PlainCommits])


class Observer:
    """Counts what happens to commits."""

    def __init__(self) -> None:
        self.retried = 0
        self.changed = 0
        self.unpublished = 0

    def commit_retried(self) -> None:
        self.retried += 1

    def records_refused(self, changed: int, unpublished: int) -> None:
        self.changed += changed
        self.unpublished += unpublished


class Cluster:
    """The topics of one stream on a broker, and commits of its group."""

    def __init__(self, broker: ApacheKafka, topic: str) -> None:
        self.connection = Connection(broker.bootstrap_servers)
        self.names = Names.of(topic)
        self.observer = Observer()
        self.attempts: Counter[str] = Counter()
        self.create(topic)

    def create(self, name: str, partitions: int = 1, **settings: str) -> None:
        """Create a topic; an underscore of a setting's name stands for a point."""
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        wanted = {"num_partitions": partitions, "replication_factor": -1, "configs": configs}
        with kafka.admin(self.connection) as admin:
            admin.create_topics({name: wanted})
            admin.wait_for_topics([name])

    def delete(self, name: str) -> None:
        with kafka.admin(self.connection) as admin:
            admin.delete_topics([name])

    def commits(self, kind: Kind) -> Transactions | PlainCommits:
        interrupts = Interrupts(failpoint=lambda point: self.attempts.update([point]))
        commits = kind(self.connection, GROUP, self.names.documents, interrupts, self.observer)
        commits.begin()
        return commits

    def read(self, name: str) -> list[Any]:
        return list(kafka.read(self.connection, name))

    def values(self) -> list[str]:
        """Return the ids of the predictions that are published."""
        return [json.loads(record.value)["id"] for record in self.read(self.names.predictions)]

    def committed(self) -> Mapping[int, OffsetAndMetadata]:
        return committed(self.connection, GROUP, self.names.documents)

    def letter(self, offset: int, key: bytes | None, value: bytes | None) -> Outgoing:
        letter = DeadLetter(
            self.names.documents, 0, offset, key, value, [("a", b"1")], Reason.NOT_JSON, "why"
        )
        return dead_letter_record(self.names.dead_letters, letter)

    def prediction(self, number: int, labels: Sequence[str] = ("sport",)) -> Outgoing:
        shares = [(label, 1 / len(labels)) for label in labels]
        prediction = Prediction(
            Document(str(number), "text"),
            LabelProbability(labels[0], 1 / len(labels), 0.0),
            top=shares,
        )
        return prediction_record(self.names, GROUP, prediction, Origin(0, number), None, 0)

    def drift(self, *labels: str) -> Outgoing:
        return drift_record(self.names, GROUP, Drift("error", 10, 5, forgotten=labels))


@pytest.fixture
def stream(broker: ApacheKafka, topic: str) -> Cluster:
    return Cluster(broker, topic)


Make = Callable[..., Cluster]


def mixed(stream: Cluster, letters: Sequence[Outgoing]) -> list[Outgoing]:
    """Return letters between predictions, in the order of the stream."""
    records: list[Outgoing] = []
    for number, letter in enumerate(letters):
        records += [stream.prediction(2 * number), letter, stream.prediction(2 * number + 1)]
    return records


@BOTH
@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_letters_without_a_key_in_a_compacted_topic(
    stream: Cluster, kind: Kind, policy: str
) -> None:
    """They get the key of their place; nothing else changes, and nothing is published twice."""
    stream.create(stream.names.dead_letters, cleanup_policy=policy)
    stream.create(stream.names.predictions, partitions=2)
    letters = [
        stream.letter(0, None, b"{"),
        stream.letter(1, b"own", b"["),
        stream.letter(2, None, None),
    ]
    commits = stream.commits(kind)
    commits.commit(mixed(stream, letters), {0: 3}, "first")
    found = stream.read(stream.names.dead_letters)
    place = stream.names.documents.encode()
    assert {(each.key, each.value) for each in found} == {
        (place + b"-0-0", b"{"),
        (b"own", b"["),
        (place + b"-0-2", b""),
    }
    assert len(found) == 3
    assert sorted(stream.values()) == [str(number) for number in range(6)]
    assert (stream.committed()[0].offset, stream.committed()[0].metadata) == (3, "first")
    assert (stream.observer.changed, stream.observer.unpublished) == (2, 0)

    stream.attempts.clear()
    commits.commit([stream.letter(3, None, b"x")], {0: 4}, "second")
    commits.close()
    assert stream.read(stream.names.dead_letters)[-1].key == place + b"-0-3"
    assert stream.attempts["transaction-begun"] == 1, "the refusal was remembered"


@BOTH
def test_letters_larger_than_their_topic_takes(stream: Cluster, kind: Kind) -> None:
    """Those go without their bytes, and the others as they are."""
    stream.create(stream.names.dead_letters, max_message_bytes="20000")
    stream.create(stream.names.predictions)
    small, large = os.urandom(15_000), os.urandom(50_000)
    letters = [
        stream.letter(number, b"k", large if number % 3 == 1 else small) for number in range(40)
    ]
    letters.append(stream.letter(40, large, small))
    letters.append(stream.letter(41, None, b"x" * 100_000))  # small when compressed
    commits = stream.commits(kind)
    commits.commit(mixed(stream, letters), {0: 42}, "first")
    commits.close()
    found = {dict(each.headers)["dl_offset"]: each for each in stream.read(letters[0].topic)}
    assert len(found) == 42
    for number in range(40):
        record = found[str(number).encode()]
        assert record.value == (b"" if number % 3 == 1 else small)
        sizes = {"dl_value_bytes": b"50000"} if number % 3 == 1 else {}
        assert sizes.items() <= dict(record.headers).items()
    assert (found[b"40"].key, found[b"40"].value) == (None, small)
    assert dict(found[b"40"].headers)["dl_key_bytes"] == b"50000"
    assert found[b"41"].value == b"x" * 100_000
    assert sorted(stream.values(), key=int) == [str(number) for number in range(84)]
    assert (stream.observer.changed, stream.observer.unpublished) == (14, 0)


@BOTH
def test_predictions_and_drifts_larger_than_their_topic_takes(stream: Cluster, kind: Kind) -> None:
    """They keep label, place and version, and say less of the other labels."""
    stream.create(stream.names.predictions, max_message_bytes="800")
    stream.create(stream.names.drift, max_message_bytes="1500")
    labels = [os.urandom(125).hex() for _ in range(200)]
    records = [
        stream.prediction(0),
        stream.prediction(1, labels[:5]),
        stream.drift(*labels),
        stream.drift("sport"),
        stream.prediction(2),
    ]
    commits = stream.commits(kind)
    commits.commit(records, {0: 3}, "first")
    commits.close()
    found = {
        json.loads(each.value)["id"]: json.loads(each.value)
        for each in stream.read(stream.names.predictions)
    }
    assert [len(found[id_]["probabilities"]) for id_ in "012"] == [1, 1, 1]
    assert (found["1"]["label"], found["1"]["offset"]) == (labels[0], 1)
    drifts = [json.loads(each.value) for each in stream.read(stream.names.drift)]
    second, first = sorted(drifts, key=lambda drift: len(drift["forgotten"][0]))
    assert first["forgotten"] == labels[: len(first["forgotten"])]
    assert (first["forgotten_labels"], second["forgotten"]) == (200, ["sport"])
    assert (stream.observer.changed, stream.observer.unpublished) == (2, 0)


@BOTH
def test_a_topic_that_takes_nothing(stream: Cluster, kind: Kind) -> None:
    """Its records are counted, and the other topics get theirs."""
    stream.create(stream.names.dead_letters, max_message_bytes="100")
    stream.create(stream.names.predictions)
    letters = [stream.letter(number, b"k", b"{" * number) for number in range(30)]
    check_that_none_is_published(stream, kind, letters)


@BOTH
def test_a_clock_that_the_topic_does_not_accept(
    stream: Cluster, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line in the log names the settings of the topic that compare clocks."""
    stream.create(stream.names.dead_letters, message_timestamp_before_max_ms="3600000")
    stream.create(stream.names.predictions)
    hour_ago = int(time.time() - 2 * 3600) * 1000

    def send_late(producer: Any, record: Outgoing) -> Any:
        producer.send = partial(producer_send(producer), timestamp_ms=hour_ago)
        return send(producer, record)

    def producer_send(producer: Any) -> Any:
        return type(producer).send.__get__(producer)

    monkeypatch.setattr(sending, "send", send_late)
    letters = [stream.letter(number, b"k", b"{") for number in range(30)]
    with capture_logs() as logs:
        check_that_none_is_published(stream, kind, letters)
    assert "message.timestamp.before.max.ms" in str(logs)


def check_that_none_is_published(stream: Cluster, kind: Kind, letters: list[Outgoing]) -> None:
    """Commit letters, between predictions, that their topic refuses in every form."""
    count = len(letters)
    commits = stream.commits(kind)
    commits.commit(mixed(stream, letters), {0: count}, "first")
    commits.commit([letters[0], stream.prediction(2 * count)], {0: count + 1}, "second")
    commits.close()
    assert sorted(stream.values(), key=int) == [str(number) for number in range(2 * count + 1)]
    assert stream.committed()[0].metadata == "second"
    assert stream.read(stream.names.dead_letters) == []
    assert (stream.observer.changed, stream.observer.unpublished) == (0, count + 1)


@BOTH
def test_one_letter_that_fits_in_no_form(stream: Cluster, kind: Kind) -> None:
    """It is counted; smaller ones of the same topic are published."""
    stream.create(stream.names.dead_letters, max_message_bytes="320")
    stream.create(stream.names.predictions)
    topic = stream.names.dead_letters
    large = Outgoing(topic, b"k", b"v", [], [(os.urandom(300).hex(), b"")])
    records = [large, Outgoing(topic, b"k", b"v", []), stream.prediction(0)]
    commits = stream.commits(kind)
    commits.commit(records, {0: 2}, "first")
    commits.close()
    assert [each.value for each in stream.read(topic)] == [b"v"]
    assert stream.values() == ["0"]
    assert (stream.observer.changed, stream.observer.unpublished) == (0, 1)


@BOTH
def test_a_deleted_topic_is_created_again(stream: Cluster, kind: Kind) -> None:
    """A topic of the output that was deleted stops no commit for long."""
    stream.create(stream.names.dead_letters)
    stream.create(stream.names.predictions)
    commits = stream.commits(kind)
    commits.commit([stream.letter(0, b"k", b"{"), stream.prediction(0)], {0: 1}, "first")
    stream.delete(stream.names.dead_letters)
    commits.commit([stream.letter(1, b"k", b"["), stream.prediction(1)], {0: 2}, "second")
    commits.close()
    assert [each.value for each in stream.read(stream.names.dead_letters)] == [b"["]
    assert sorted(stream.values()) == ["0", "1"]


def test_many_letters_without_a_key(stream: Cluster) -> None:
    """The refusal of one without a key is that of all."""
    stream.create(stream.names.dead_letters, cleanup_policy="compact")
    stream.create(stream.names.predictions)
    letters = [stream.letter(number, None, os.urandom(2000)) for number in range(1000)]
    commits = stream.commits(Transactions)
    commits.commit(mixed(stream, letters), {0: 1000}, "first")
    commits.close()
    assert len(stream.read(stream.names.dead_letters)) == 1000
    assert len(stream.values()) == 2000
    assert stream.attempts["transaction-begun"] < 10
    assert stream.observer.changed == 1000
    assert stream.observer.retried == 0
