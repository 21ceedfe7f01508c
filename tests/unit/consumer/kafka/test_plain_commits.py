"""Commits without transactions: offsets follow records, and the lease is checked before."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import GroupAuthorizationFailedError, KafkaConnectionError

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import CheckpointError
from consumer.kafka import plain_commits as module
from consumer.kafka import producers
from consumer.kafka.commits import AbandonedError, RefusedError, SupersededError
from consumer.kafka.outbox import Outgoing
from consumer.kafka.plain_commits import PlainCommits
from newsreel.common import retrying
from newsreel.common.kafka import Connection
from newsreel.common.shutdown import StoppedError

RECORDS = [Outgoing("documents.predictions", b"key", b"1", [])]


class Broker:
    """A broker in memory, of which some calls fail."""

    def __init__(self) -> None:
        self.offsets: dict[int, OffsetAndMetadata] = {}
        self.values: list[bytes] = []
        self.fails: list[str] = []
        self.error: Exception = KafkaConnectionError("gone")

    def called(self, call: str) -> None:
        if self.fails[:1] == [call]:
            self.fails.pop(0)
            raise self.error

    def committed(self, *_: object) -> Mapping[int, OffsetAndMetadata]:
        self.called("committed")
        return dict(self.offsets)

    def producer(self, **_: Any) -> "Client":
        return Client(self)


class Client:
    """A Kafka client in memory: producer and consumer."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def send(self, topic: str, value: bytes, **_: Any) -> "Client":
        self.broker.called("send")
        self.broker.values.append(value)
        return self

    def flush(self, timeout: float) -> None: ...

    def get(self, timeout: float) -> None: ...

    def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], timeout_ms: int) -> None:
        self.broker.called("commit")
        self.broker.offsets = {tp.partition: found for tp, found in offsets.items()}
        self.broker.called("commit that went through")

    def close(self, **_: Any) -> None: ...


class Count:
    """Counts the commits that failed."""

    retried = 0

    def commit_retried(self) -> None:
        self.retried += 1


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(producers, "KafkaProducer", broker.producer)
    monkeypatch.setattr(module, "KafkaConsumer", broker.producer)
    monkeypatch.setattr(module, "committed", broker.committed)
    monkeypatch.setattr(module, "diagnose", lambda *_: None)
    monkeypatch.setattr(retrying, "RETRY_SECONDS", 0.0)
    return broker


def make(**interrupts: Any) -> PlainCommits:
    return PlainCommits(
        Connection("unused"), "group", "documents", Interrupts(**interrupts), Count()
    )


def ids(broker: Broker) -> Sequence[str]:
    return [found.metadata for found in broker.offsets.values()]


@pytest.mark.parametrize("call", ["send", "commit", "commit that went through", "committed"])
def test_a_broker_that_fails(broker: Broker, call: str) -> None:
    """Whichever call fails, even twice, offsets name the checkpoint, and no record is lost."""
    commits = make()
    assert commits.begin() == {}
    broker.fails = [call, call]
    commits.commit(RECORDS, {0: 2, 1: 3}, "first")
    assert not broker.fails
    assert set(broker.values) == {b"1"}
    assert broker.offsets == {
        0: OffsetAndMetadata(2, "first", -1),
        1: OffsetAndMetadata(3, "first", -1),
    }
    assert make().begin() == broker.offsets


def test_another_consumer(broker: Broker) -> None:
    """A consumer that was replaced commits nothing, whatever its lease says."""
    old, new = make(), make()
    old.begin()
    new.begin()
    new.commit([], {0: 1}, "new")
    with pytest.raises(SupersededError):
        old.commit([], {0: 2}, "old")
    with pytest.raises(SupersededError):
        make(fenced=lambda: True).commit([], {0: 2}, "old")
    assert ids(broker) == ["new"]


def test_another_consumer_while_the_broker_is_away(broker: Broker) -> None:
    """A consumer that was replaced sends nothing more, and does not wait for the broker."""
    fenced: list[bool] = [False]
    commits = make(fenced=lambda: fenced.pop() if fenced else True)
    broker.fails = ["send"] * 100
    with pytest.raises(SupersededError):
        commits.commit(RECORDS, {0: 1}, "id")
    assert (broker.values, len(broker.fails)) == ([], 99)


def test_a_checkpoint_that_is_gone(broker: Broker) -> None:
    """Offsets never name a checkpoint that was deleted."""
    commits = make()
    commits.begin()
    with pytest.raises(CheckpointError, match="deleted"):
        commits.commit([], {0: 1}, "id", lambda: False)
    assert ids(broker) == []


def test_refused(broker: Broker) -> None:
    """A right that is missing ends the run; the error is one line."""
    broker.fails = ["committed"]
    broker.error = GroupAuthorizationFailedError("group")
    with pytest.raises(RefusedError, match=r"^[^\n]*allow the user to read the group[^\n]*$"):
        make().begin()


def test_signals(broker: Broker) -> None:
    """A signal ends a start at once; a commit is given up when the consumer is overdue."""
    with pytest.raises(StoppedError):
        make(stopping=lambda: True).begin()
    broker.fails = ["commit"] * 9
    with pytest.raises(AbandonedError, match="documents since the last commit will be learned"):
        make(overdue=lambda: True).commit([], {0: 1}, "id")
