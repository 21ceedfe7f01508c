"""Where a run begins: --from, offsets that Kafka's tools have set, and topics created again."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from helpers import Learn, Publish, documents
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition

from consumer import __main__ as program
from consumer.checkpoints.manifest import Manifest
from consumer.commit.starting_point import GroupError
from consumer.kafka import topic_state
from consumer.kafka.offsets import FRESH, committed
from newsreel.common import kafka
from newsreel.common.kafka import Connection
from newsreel.events.document import encode
from newsreel.events.topics import Names

BAYES = ("--learner", "bayes")


class KilledError(Exception):
    """Stands for kill -9: nothing after it is done."""


@pytest.fixture
def set_offsets(connection: Connection, topic: str) -> Callable[[Mapping[int, int]], None]:
    """Set offsets of the group as Kafka's tools do: without metadata."""

    def call(offsets: Mapping[int, int]) -> None:
        with kafka.admin(connection) as admin:
            admin.alter_group_offsets(
                topic,
                {
                    TopicPartition(topic, number): OffsetAndMetadata(offset, "", -1)
                    for number, offset in offsets.items()
                },
            )

    return call


SetOffsets = Callable[[Mapping[int, int]], None]


@pytest.fixture
def create_again(connection: Connection, topic: str, publish: Publish) -> Callable[[int], None]:
    """Delete the topic, create it again and write documents."""

    def call(count: int) -> None:
        with kafka.admin(connection) as admin:
            admin.delete_topics([topic])
            while kafka.partitions(admin, topic):
                time.sleep(0.05)
        publish(topic, documents(count, start=1000))

    return call


@pytest.fixture
def predicted(connection: Connection, topic: str) -> Callable[[], list[str]]:
    """Return the ids of the documents with a published prediction, in their order."""
    return lambda: [
        json.loads(record.value)["id"]
        for record in kafka.read(connection, Names.of(topic).predictions)
    ]


Predicted = Callable[[], list[str]]


def names(*numbers: int) -> list[str]:
    return [f"doc-{number}" for number in numbers]


def newest(folder: Path) -> Manifest:
    return Manifest.read(max((folder / "checkpoints").glob("0*")))


def refusal(learn: Learn, topic: str, *options: object) -> str:
    with pytest.raises(GroupError) as refused:
        learn(topic, *BAYES, *options)
    return str(refused.value)


def test_latest(publish: Publish, learn: Learn, topic: str, predicted: Predicted) -> None:
    """With --from latest, a new group skips what the topic holds; later starts resume."""
    publish(topic, documents(10))
    assert learn(topic, *BAYES, "--from", "latest", "--stop-when-idle", 0.5)["documents"] == 0
    publish(topic, documents(6, start=10))
    assert learn(topic, *BAYES, "--from", "latest", "--stop-after", 6)["documents"] == 6
    assert predicted() == names(*range(10, 16))


@pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
def test_time(
    publish: Publish,
    learn: Learn,
    topic: str,
    connection: Connection,
    predicted: Predicted,
    zone: str,
) -> None:
    """With --from TIME, each partition is read from its first record of that time or later."""
    publish(topic, [], partitions=2)
    began = datetime.now(UTC) - timedelta(hours=2)
    write(connection, topic, [(n % 2, began + timedelta(minutes=n)) for n in range(20)])
    write(connection, topic, [(0, began + timedelta(minutes=20))])
    since = (began + timedelta(minutes=9.5)).replace(tzinfo=None).isoformat()
    learn(topic, *BAYES, "--from", since + zone, "--stop-after", 11)
    assert predicted() == names(*range(10, 21))


def write(connection: Connection, topic: str, records: list[tuple[int, datetime]]) -> None:
    """Write documents, numbered after those of the topic, to partitions at times."""
    producer = KafkaProducer(**connection.options)
    with kafka.admin(connection) as admin:
        start = kafka.count(admin, topic)
    sent = []
    for (partition, written), document in zip(
        records, documents(len(records), start=start), strict=True
    ):
        record = encode(document, source="tests")
        stamp = int(written.timestamp() * 1000)
        headers = list(record.headers)
        sent.append(
            producer.send(topic, record.value, record.key, headers, partition, timestamp_ms=stamp)
        )
    for delivery in sent:
        delivery.get(timeout=30)
    producer.close()


def test_partitions_keyed_by_label(
    publish: Publish, learn: Learn, topic: str, connection: Connection, predicted: Predicted
) -> None:
    """A backlog of two partitions, one for each label, is read in the order of time."""
    publish(topic, [], partitions=2)
    began = datetime.now(UTC) - timedelta(hours=2)
    # The labels of `documents` take turns, so each partition has one label.
    write(connection, topic, [(n % 2, began + timedelta(seconds=n)) for n in range(1200)])
    summary = learn(topic, *BAYES, "--stop-after", 1200)
    assert predicted() == names(*range(1200))
    assert summary["prequential_accuracy"] > 0.9


@pytest.mark.parametrize("point", ["snapshot", "checkpoint-written", "transaction-begun"])
def test_killed_before_the_first_commit(
    publish: Publish,
    learn: Learn,
    topic: str,
    connection: Connection,
    set_offsets: SetOffsets,
    predicted: Predicted,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    """Offsets that were set before the first run hold, also if that run is killed."""
    publish(topic, documents(40), partitions=2)
    set_offsets({0: 12, 1: 10})

    passed: list[str] = []

    def killed(reached: str) -> None:
        passed.append(reached)
        if reached == point and (point == "snapshot" or "checkpoint-written" in passed):
            raise KilledError

    original = program.learn
    with monkeypatch.context() as patch:
        patch.setattr(program, "learn", lambda argv: original(argv, killed))
        with pytest.raises(KilledError):
            learn(topic, *BAYES, "--stop-after", 18)
    offsets = committed(connection, topic, topic)
    assert {p: (at.offset, at.metadata) for p, at in offsets.items()} == {
        0: (12, FRESH),
        1: (10, FRESH),
    }
    set_offsets({0: 14})  # once more with the tools
    assert learn(topic, *BAYES, "--stop-after", 16)["documents"] == 16
    assert sorted(predicted()) == sorted(names(*range(28, 40, 2), *range(21, 40, 2)))


@pytest.mark.parametrize("offsets", [{0: 4}, {0: 30}])
def test_moved_offsets(
    publish: Publish,
    learn: Learn,
    topic: str,
    tmp_path: Path,
    set_offsets: SetOffsets,
    predicted: Predicted,
    offsets: dict[int, int],
) -> None:
    """After offsets were moved, a run goes on there with --keep-model, and exactly once."""
    publish(topic, documents(40))
    learn(topic, *BAYES, "--stop-after", 20)
    set_offsets(offsets)
    message = refusal(learn, topic)
    assert "move them back" in message
    assert "--keep-model" in message
    assert learn(topic, *BAYES, "--keep-model", "--stop-after", 5)["documents"] == 25
    assert newest(tmp_path).positions == {"0": offsets[0] + 5}
    assert learn(topic, *BAYES, "--stop-after", 5)["documents"] == 30
    assert predicted() == names(*range(20), *range(offsets[0], offsets[0] + 10))


def test_killed_after_moved_offsets(
    publish: Publish,
    learn: Learn,
    topic: str,
    tmp_path: Path,
    set_offsets: SetOffsets,
    predicted: Predicted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The moved offsets are committed at once: a run that is killed later needs no option again."""
    publish(topic, documents(40))
    learn(topic, *BAYES, "--stop-after", 20)
    set_offsets({0: 30})

    def killed(reached: str) -> None:
        if reached == "snapshot":
            raise KilledError

    original = program.learn
    with monkeypatch.context() as patch:
        patch.setattr(program, "learn", lambda argv: original(argv, killed))
        with pytest.raises(KilledError):
            learn(topic, *BAYES, "--keep-model", "--stop-after", 5)
    assert (newest(tmp_path).positions, newest(tmp_path).documents) == ({"0": 30}, 20)
    assert learn(topic, *BAYES, "--stop-after", 10)["documents"] == 30
    assert predicted() == names(*range(20), *range(30, 40))


def test_offsets_that_were_moved_back(
    publish: Publish, learn: Learn, topic: str, set_offsets: SetOffsets, predicted: Predicted
) -> None:
    """Offsets that were moved and moved back need no option."""
    publish(topic, documents(40))
    learn(topic, *BAYES, "--stop-after", 20)
    set_offsets({0: 4})
    refusal(learn, topic)
    set_offsets({0: 20})
    assert learn(topic, *BAYES, "--stop-after", 20)["documents"] == 40
    assert predicted() == names(*range(40))


def test_topic_with_fewer_records(
    publish: Publish,
    learn: Learn,
    topic: str,
    create_again: Callable[[int], None],
    predicted: Predicted,
) -> None:
    """A topic that was created again with fewer records is read from its beginning, if allowed."""
    publish(topic, documents(20))
    learn(topic, *BAYES, "--stop-after", 20)
    create_again(10)
    assert "--keep-model" in refusal(learn, topic)
    assert learn(topic, *BAYES, "--keep-model", "--stop-after", 10)["documents"] == 30
    assert predicted() == names(*range(20), *range(1000, 1010))


@pytest.mark.parametrize(("since", "expected"), [("earliest", 1000), ("latest", 1030)])
def test_topic_with_more_records(
    publish: Publish,
    learn: Learn,
    topic: str,
    create_again: Callable[[int], None],
    predicted: Predicted,
    monkeypatch: pytest.MonkeyPatch,
    since: str,
    expected: int,
) -> None:
    """A topic that was created again is known by its id, however many records it has."""
    ids = {"now": "one"}
    known = topic_state._topic_id  # the embedded Kafka gives no ids
    monkeypatch.setattr(topic_state, "_topic_id", lambda *where: known(*where) or ids["now"])
    publish(topic, documents(20))
    learn(topic, *BAYES, "--stop-after", 20)
    create_again(30)
    ids["now"] = "two"
    assert "created again" in refusal(learn, topic)
    options = ("--keep-model", "--from", since, "--stop-when-idle", 0.5, "--stop-after", 5)
    learn(topic, *BAYES, *options)
    publish(topic, documents(5, start=1030))
    learn(topic, *BAYES, "--stop-after", 5)
    count = 10 if since == "earliest" else 5
    assert predicted() == names(*range(20), *range(expected, expected + count))
