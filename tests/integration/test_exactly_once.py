"""Documents are learned and predicted once, over stops, takeovers, and broken checkpoints."""

import json
import shutil
import signal
import time
import urllib.error
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from helpers import HeaderName, Learn, Publish, Start, documents
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from consumer import __main__ as program
from consumer.checkpoints.lease import Lease
from consumer.kafka.poller import PollError
from newsreel.common import kafka
from newsreel.events.topics import Names

BAYES = ("--learner", "bayes")

NEVER = ("--checkpoint-every", 1_000_000, "--checkpoint-seconds", 1_000_000)

Read = Callable[..., list[Any]]


class LearnWithFailpoint(Protocol):
    """Run a consumer to its end and report its failpoints."""

    def __call__(
        self, topic: str, *options: object, failpoint: Callable[[str], None]
    ) -> dict[str, Any]: ...


@pytest.fixture
def learn_with_failpoint(learn: Learn, monkeypatch: pytest.MonkeyPatch) -> LearnWithFailpoint:
    original = program.learn

    def call(topic: str, *options: object, failpoint: Callable[[str], None]) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(program, "learn", lambda argv: original(argv, failpoint))
            return learn(topic, *options)

    return call


@pytest.fixture
def read(bootstrap_servers: str) -> Read:
    """Read all records of a topic."""

    def call(topic: str, isolation: str = "read_committed") -> list[Any]:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            isolation_level=isolation,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        try:
            partition = TopicPartition(topic, 0)
            consumer.assign([partition])
            (end,) = consumer.end_offsets([partition]).values()
            found = []
            while consumer.position(partition) < end:
                for records in consumer.poll(timeout_ms=200).values():
                    found += records
            return found
        finally:
            consumer.close()

    return call


@pytest.fixture
def predicted(read: Read) -> Callable[..., list[tuple[int, int]]]:
    """Return partition and offset of each published prediction, in order."""

    def call(topic: str, isolation: str = "read_committed") -> list[tuple[int, int]]:
        values = [
            json.loads(record.value) for record in read(Names.of(topic).predictions, isolation)
        ]
        return [(value["partition"], value["offset"]) for value in values]

    return call


Predicted = Callable[..., list[tuple[int, int]]]


def partition_0(*offsets: int) -> list[tuple[int, int]]:
    return [(0, offset) for offset in offsets]


def checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("0*"))


def test_one_prediction_for_each_document(
    publish: Publish, learn: Learn, topic: str, tmp_path: Path, read: Read
) -> None:
    """After a stop and a resume each document has one complete prediction."""
    publish(topic, documents(50))
    learn(topic, *BAYES, "--stop-after", 20)
    (first,) = checkpoints(tmp_path)
    learn(topic, *BAYES, "--stop-after", 30, "--checkpoint-every", 8)
    found = read(Names.of(topic).predictions)
    values = [json.loads(record.value) for record in found]
    assert [record.key.decode() for record in found] == [f"doc-{n}" for n in range(50)]
    assert [value["id"] for value in values] == [f"doc-{n}" for n in range(50)]
    assert [value["offset"] for value in values] == list(range(50))
    assert {(value["topic"], value["partition"]) for value in values} == {(topic, 0)}
    assert [value["truth"] for value in values] == [document.label for document in documents(50)]
    assert [value["label"] for value in values[:1]] == [None]
    assert {value["label"] for value in values[16:]} == {"sport", "space"}
    for value in values[16:]:
        shares = value["probabilities"]
        assert max(shares, key=shares.__getitem__) == value["label"]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
    assert {value["checkpoint"] for value in values[:20]} == {None}
    assert values[20]["checkpoint"] == first.name
    assert [value["step"] for value in values] == [0] * 16 + [1] * 16 + [2] * 16 + [3] * 2
    assert all(datetime.fromisoformat(value["time"]).tzinfo for value in values)


def test_exactly_once_predictions_appear_with_the_commit(
    publish: Publish, learn_with_failpoint: LearnWithFailpoint, topic: str, predicted: Predicted
) -> None:
    """With exactly-once, readers of committed records see predictions only after the commit."""
    publish(topic, documents(20))
    published = {}

    def failpoint(point: str) -> None:
        if point in {"transaction-sent", "committed"}:
            published[point] = len(predicted(topic, "read_uncommitted")), len(predicted(topic))

    learn_with_failpoint(topic, *BAYES, *NEVER, "--stop-after", 20, failpoint=failpoint)
    assert published["committed"] == (20, 20)
    assert published["transaction-sent"][1] == 0


def test_at_least_once_predictions_appear_at_once(
    publish: Publish, learn_with_failpoint: LearnWithFailpoint, topic: str, predicted: Predicted
) -> None:
    """With at-least-once, predictions are published before the commit, and not again with it."""
    publish(topic, documents(20))
    published = []

    def failpoint(point: str) -> None:
        if point == "snapshot":
            deadline = time.monotonic() + 20
            while len(predicted(topic)) < 20 and time.monotonic() < deadline:
                time.sleep(0.1)
            published.extend(predicted(topic))

    options = ("--delivery", "at-least-once", "--stop-after", 20)
    learn_with_failpoint(topic, *BAYES, *NEVER, *options, failpoint=failpoint)
    assert published == partition_0(*range(20))
    assert predicted(topic) == partition_0(*range(20))


def test_broken_checkpoint(
    publish: Publish, learn: Learn, topic: str, tmp_path: Path, predicted: Predicted
) -> None:
    """The consumer restores the previous checkpoint and publishes no prediction twice."""
    publish(topic, documents(72))
    learn(topic, *BAYES, "--stop-after", 20)
    learn(topic, *BAYES, "--stop-after", 20)
    _, newest = checkpoints(tmp_path)
    (newest / "tensors.safetensors").write_bytes(b"")
    # This run ends before the published predictions, so it must not commit.
    assert learn(topic, *BAYES, "--stop-after", 10)["documents"] == 30
    assert checkpoints(tmp_path)[-1] == newest
    assert learn(topic, *BAYES, "--stop-after", 40, "--checkpoint-every", 1)["documents"] == 60
    assert predicted(topic) == partition_0(*range(60))
    assert learn(topic, *BAYES, "--stop-after", 12)["documents"] == 72
    assert predicted(topic) == partition_0(*range(72))


def test_deleted_records(
    publish: Publish, learn: Learn, topic: str, bootstrap_servers: str, predicted: Predicted
) -> None:
    """Deleted records stop the run, unless --lost-offsets is continue."""
    publish(topic, documents(40))
    learn(topic, *BAYES, "--stop-after", 16)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
    admin.delete_records({TopicPartition(topic, 0): 24})
    admin.close()
    with pytest.raises(PollError, match="8 records from 16 on"):
        learn(topic, *BAYES, "--stop-after", 16)
    options = ("--lost-offsets", "continue", "--stop-after", 16)
    assert learn(topic, *BAYES, *options)["documents"] == 32
    assert predicted(topic) == partition_0(*range(16), *range(24, 40))


def test_added_partition(
    publish: Publish,
    learn_with_failpoint: LearnWithFailpoint,
    topic: str,
    tmp_path: Path,
    bootstrap_servers: str,
    predicted: Predicted,
) -> None:
    """A partition that is added in mid-stream is read from its beginning, and committed."""
    publish(topic, documents(16))

    def failpoint(point: str) -> None:
        if point == "committed" and len(predicted(topic)) == 16:
            with kafka.admin(kafka.Connection(bootstrap_servers)) as admin:
                admin.create_partitions({topic: 2})
            publish(topic, documents(16, start=16), partitions=2)

    options = ("--checkpoint-every", 16, "--stop-after", 32, "--stop-when-idle", 20)
    learn_with_failpoint(topic, *BAYES, *options, failpoint=failpoint)
    both = [(partition, offset) for partition in (0, 1) for offset in range(8)]
    assert sorted(predicted(topic)) == sorted([*both, *partition_0(*range(8, 24))])
    manifest = json.loads((checkpoints(tmp_path)[-1] / "manifest.json").read_text())
    assert manifest["positions"] == {"0": 24, "1": 8}


@pytest.mark.parametrize("when", ["snapshot", "checkpoint-draft", "transaction-sent", "pruned"])
def test_deleted_folder(
    publish: Publish,
    learn_with_failpoint: LearnWithFailpoint,
    learn: Learn,
    topic: str,
    tmp_path: Path,
    predicted: Predicted,
    when: str,
) -> None:
    """A folder deleted during the run is created again, and the next start resumes."""
    publish(topic, documents(80))
    remaining = [when]

    def failpoint(point: str) -> None:
        if point in remaining:
            remaining.clear()
            shutil.rmtree(tmp_path / "checkpoints")

    options = ("--stop-after", 64, "--checkpoint-every", 16)
    learn_with_failpoint(topic, *BAYES, *options, failpoint=failpoint)
    assert not remaining
    assert learn(topic, *BAYES, "--stop-after", 16)["documents"] == 80
    assert predicted(topic) == partition_0(*range(80))


def test_header_name_that_is_not_utf8(
    publish: Publish, learn: Learn, topic: str, bootstrap_servers: str, read: Read
) -> None:
    """A record with a header name that is not UTF-8 becomes a dead letter; others are learned."""
    publish(topic, documents(4))
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers)
    producer.send(topic, value=b'{"text":"x"}', headers=[(HeaderName(b"odd \xff"), b"x")]).get(
        timeout=30
    )
    producer.close()
    publish(topic, documents(4, start=4))
    summary = learn(topic, *BAYES, "--stop-after", 8)
    assert (summary["documents"], summary["dead_letters"]) == (8, 1)
    (letter,) = read(Names.of(topic).dead_letters)
    found = dict(letter.headers)
    assert (found["dl_reason"], found["dl_offset"]) == (b"bad_header", b"4")
    assert b"not valid UTF-8" in found["dl_detail"]


def test_standby_takes_over(
    publish: Publish, consumer: Start, topic: str, predicted: Predicted
) -> None:
    """A standby waits with its model loaded, is not ready, and takes over at once."""
    publish(topic, documents(40))
    always = (*BAYES, "--linger", 0)
    with (
        consumer(topic, *always, "--checkpoint-every", 16) as first,
        consumer(topic, *always, "--stop-after", 60) as second,
    ):
        holder, standby = first, second
        holder.wait_for(lambda: "learning" in first.log or "learning" in second.log)
        if "learning" in second.log:
            holder, standby = second, first
        standby.wait_for(lambda: "standing by" in standby.log)
        assert standby.get("/healthz") == "ok"
        with pytest.raises(urllib.error.HTTPError, match="503"):
            standby.get("/readyz")
        holder.wait_for(lambda: holder.progress()["documents"] == 40)
        holder.end(signal.SIGKILL)
        publish(topic, documents(30, start=40))
        standby.wait_for(lambda: standby.progress()["documents"] >= 60)
        assert standby.end(signal.SIGTERM) == 0
    found = predicted(topic)
    assert found == partition_0(*range(len(found)))
    assert len(found) >= 60


def test_zombie_changes_nothing(
    publish: Publish,
    consumer: Start,
    learn_with_failpoint: LearnWithFailpoint,
    learn: Learn,
    topic: str,
    predicted: Predicted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A consumer that wakes up after a takeover reports that and exits with code 2."""
    monkeypatch.setattr("consumer.learn.Lease", partial(Lease, patience=2.0))
    publish(topic, documents(40))
    with consumer(topic, *BAYES, *NEVER, "--linger", 0) as zombie:
        zombie.wait_for(lambda: zombie.progress()["documents"] == 40)
        zombie.process.send_signal(signal.SIGSTOP)

        def failpoint(point: str) -> None:
            if point == "committed":
                assert zombie.end(signal.SIGCONT) == 2

        summary = learn_with_failpoint(topic, *BAYES, "--stop-after", 32, failpoint=failpoint)
        assert summary["documents"] == 32
        last = zombie.log.strip().splitlines()[-1]
        assert last.startswith(f"consumer: another consumer has taken over group '{topic}'")
        assert "Traceback" not in zombie.log
    assert learn(topic, *BAYES, "--stop-after", 8)["documents"] == 40
    assert predicted(topic) == partition_0(*range(40))
