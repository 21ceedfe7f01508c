"""Transactions commit exactly once, whichever call to the broker fails."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import (
    InvalidTransactionTimeoutError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    UnsupportedVersionError,
)

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import CheckpointError
from consumer.kafka import offsets, producers
from consumer.kafka import transaction as module
from consumer.kafka.commits import AbandonedError, RefusedError, SupersededError
from consumer.kafka.offsets import FRESH, checkpoint_id
from consumer.kafka.outbox import Outgoing
from consumer.kafka.transaction import Transactions
from newsreel.common import retrying
from newsreel.common.kafka import Connection
from newsreel.common.retrying import OutageError
from newsreel.common.shutdown import StoppedError

CALLS = ["init", "begin", "send", "offsets", "commit", "commit that went through", "committed"]


class Broker:
    """A broker in memory: committed records and offsets, the valid epoch, and calls that fail."""

    def __init__(self) -> None:
        self.epoch = 0
        self.offsets: dict[TopicPartition, OffsetAndMetadata] = {}
        self.values: list[bytes | None] = []
        self.headers: list[tuple[str, bytes]] = []
        self.fails: list[str] = []
        self.most = 1 << 20
        self.unseen = 0
        self.sent_between_flushes: list[int] = []
        self.error: type[KafkaError] = KafkaConnectionError

    def called(self, call: str) -> None:
        if self.fails[:1] == [call]:
            self.fails.pop(0)
            raise self.error(call)


class Sent:
    """The future of a sent record."""

    def get(self, timeout: float) -> None: ...


class Producer:
    """A Kafka producer in memory."""

    def __init__(self, broker: Broker, transactional_id: str) -> None:
        self.broker = broker

    def init_transactions(self) -> None:
        self.broker.called("init")
        self.broker.epoch += 1
        self.epoch = self.broker.epoch

    def begin_transaction(self) -> None:
        self.broker.called("begin")
        self.values: list[bytes | None] = []
        self.headers: list[tuple[str, bytes]] = []
        self.flushed = 0

    def send(self, topic: str, value: bytes | None, **other: Any) -> Sent:
        self.broker.called("send")
        size = len(other["key"] or b"") + len(value or b"")
        size += sum(len(content) for _, content in other["headers"])
        if size > self.broker.most:
            raise MessageSizeTooLargeError
        self.values.append(value)
        self.headers += other["headers"]
        return Sent()

    def flush(self, timeout: float) -> None:
        self.broker.sent_between_flushes.append(len(self.values) - self.flushed)
        self.flushed = len(self.values)

    def send_offsets_to_transaction(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: str
    ) -> None:
        self.broker.called("offsets")
        self.offsets = offsets

    def commit_transaction(self) -> None:
        self.broker.called("commit")
        if self.epoch != self.broker.epoch:
            raise ProducerFencedError
        self.broker.values += self.values
        self.broker.headers += self.headers
        self.broker.offsets.update(self.offsets)
        self.broker.called("commit that went through")

    def close(self, timeout: float) -> None: ...


class Consumer:
    """A Kafka consumer in memory."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        self.broker.unseen -= 1
        return None if self.broker.unseen >= 0 else {0, 1}

    def committed(self, partition: TopicPartition, **_: Any) -> OffsetAndMetadata | None:
        self.broker.called("committed")
        return self.broker.offsets.get(partition)

    def close(self, **_: Any) -> None: ...


class CountRetries:
    """Counts the commits that failed, and calls a function after each."""

    def __init__(self, afterwards: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self._afterwards = afterwards

    def commit_retried(self) -> None:
        self.count += 1
        self._afterwards()

    def records_refused(self, changed: int, unpublished: int) -> None:
        self.refused = (changed, unpublished)


class Make(Protocol):
    """Build transactions on the broker, by default without interrupts."""

    def __call__(
        self, observer: CountRetries | None = None, **interrupts: Callable[..., Any]
    ) -> Transactions: ...


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def make(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Make:
    def producer(transactional_id: str, **_: Any) -> Producer:
        return Producer(broker, transactional_id)

    monkeypatch.setattr(producers, "KafkaProducer", producer)
    monkeypatch.setattr(module, "diagnose", lambda *_: None)
    monkeypatch.setattr(retrying, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(offsets, "KafkaConsumer", lambda **_: Consumer(broker))
    monkeypatch.setattr(module, "RETRY_SECONDS", (0.0,))

    def call(
        observer: CountRetries | None = None, **interrupts: Callable[..., Any]
    ) -> Transactions:
        return Transactions(
            Connection("anywhere"),
            "group",
            "documents",
            Interrupts(**interrupts),
            observer or CountRetries(),
        )

    return call


def record(value: bytes) -> Outgoing:
    return Outgoing("documents.predictions", b"key", value, [])


def test_one_transaction(make: Make, broker: Broker) -> None:
    """Records and offsets are committed together; the offsets name the checkpoint."""
    points: list[str] = []
    transactions = make(failpoint=points.append)
    assert transactions.open() == {}
    transactions.commit([record(b"1"), record(b"2")], {0: 7, 1: 9}, "id")
    assert broker.values == [b"1", b"2"]
    assert make().open() == {0: OffsetAndMetadata(7, "id", -1), 1: OffsetAndMetadata(9, "id", -1)}
    assert points == ["transaction-begun", "transaction-sent"]


@pytest.mark.parametrize("before", [[], [FRESH], [FRESH, "first"]])
@pytest.mark.parametrize("call", CALLS)
def test_a_broker_that_fails(make: Make, broker: Broker, call: str, before: list[str]) -> None:
    """Whichever call fails, even twice, records are committed exactly once."""
    retries = CountRetries()
    transactions = make(retries)
    transactions.open()
    for id_ in before:
        transactions.commit([], {0: 1}, id_)
    broker.fails = ["begin", call, call] if call in {"init", "committed"} else [call, call]
    if call == "commit that went through":
        broker.fails = [call]
    transactions.commit([record(b"1")], {0: 2}, "new")
    assert not broker.fails
    assert retries.count
    assert broker.values == [b"1"]
    assert broker.offsets == {TopicPartition("documents", 0): OffsetAndMetadata(2, "new", -1)}


@pytest.mark.parametrize("part", ["key", "value", "headers"])
def test_too_large_a_record(make: Make, broker: Broker, part: str) -> None:
    """A record that the broker refuses for its size is sent without its large part."""
    large = b"x" * (1 << 20)
    record = Outgoing(
        "documents.dead-letters",
        large if part == "key" else b"key",
        large if part == "value" else b"value",
        [
            ("dl_a", large if part == "headers" else b"1")
        ],  # as a dead letter of another consumer may have
        [("dl_reason", b"why")],
    )
    transactions = make()
    transactions.open()
    transactions.commit([record], {0: 1}, "id")
    assert broker.values == [b"" if part == "value" else b"value"]
    headers = dict(broker.headers)
    assert int(headers.pop(f"dl_{part}_bytes")) >= len(large)
    assert headers == {"dl_reason": b"why"} | ({} if part == "headers" else {"dl_a": b"1"})


def test_too_large_a_key_without_a_value(make: Make, broker: Broker) -> None:
    """A tombstone with too large a key is sent with an empty value: the client refuses neither."""
    record = Outgoing("documents.dead-letters", b"x" * (1 << 20), None, [], [("dl_reason", b"why")])
    transactions = make()
    transactions.open()
    transactions.commit([record], {0: 1}, "id")
    assert broker.values == [b""]


def test_many_bytes_are_sent_in_parts(make: Make, broker: Broker) -> None:
    """Records are flushed in parts, so that none waits in the client until its timeout."""
    transactions = make()
    transactions.open()
    records = [record(b"x" * (100 << 10)) for _ in range(25)]
    transactions.commit(records, {0: 25}, "id")
    assert len(broker.values) == 25
    assert broker.sent_between_flushes == [11, 11, 3]


def test_partitions_not_known_yet(make: Make, broker: Broker) -> None:
    """A topic whose partitions are not known yet does not count as a topic without a commit."""
    transactions = make()
    transactions.open()
    transactions.commit([], {0: 1}, "first")
    broker.unseen = 2
    assert checkpoint_id(transactions.begin()) == "first"


def test_fenced(make: Make, broker: Broker) -> None:
    """A consumer that was replaced commits nothing, and does not fence its successor."""
    fenced = False
    old, new = make(fenced=lambda: fenced), make()
    old.open()
    old.commit([record(b"1")], {0: 1}, "first")
    new.open()
    fenced = True
    with pytest.raises(SupersededError, match="another consumer has taken over group 'group'"):
        old.commit([record(b"2")], {0: 2}, "old")
    new.commit([record(b"3")], {0: 3}, "new")
    assert broker.values == [b"1", b"3"]


def test_fenced_while_waiting(make: Make, broker: Broker) -> None:
    """After a wait, the lease is checked before other consumers are fenced."""
    fenced = False
    new = make()

    def take_over() -> None:
        nonlocal fenced
        new.open()
        fenced = True

    old = make(CountRetries(take_over), fenced=lambda: fenced)
    old.open()
    broker.fails = ["send"]
    with pytest.raises(SupersededError):
        old.commit([record(b"2")], {0: 2}, "old")
    new.commit([record(b"3")], {0: 3}, "new")
    assert broker.values == [b"3"]


def test_fenced_while_opening(make: Make, broker: Broker) -> None:
    """The lease is checked again after opening, which may have taken long."""
    fenced = False
    new = make()
    old = make(fenced=lambda: fenced)
    old.open()
    old.commit([record(b"1")], {0: 1}, "first")
    broker.fails = ["send"]
    init = Producer.init_transactions

    def slow(producer: Producer) -> None:
        nonlocal fenced
        if not fenced:
            fenced = True
            new.open()
        init(producer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Producer, "init_transactions", slow)
        with pytest.raises(SupersededError):
            old.commit([record(b"2")], {0: 2}, "old")
    new.commit(
        [record(b"3")], {0: 3}, "new"
    )  # fenced, but with a valid lease: the transaction opens again
    assert broker.values == [b"1", b"3"]


def test_deleted_checkpoint(make: Make, broker: Broker) -> None:
    """Offsets never name a checkpoint that was deleted while the broker was away."""
    transactions = make()
    transactions.open()
    broker.fails = ["send"]
    with pytest.raises(CheckpointError, match="deleted"):
        transactions.commit([record(b"1")], {0: 1}, "id", lambda: False)
    assert broker.values == []


def test_refused(make: Make, broker: Broker) -> None:
    """A transaction that Kafka refuses is not tried again; the error is one line.

    Without a right to a topic, another kind of commits does not help.
    """
    transactions = make()
    transactions.open()
    broker.fails = ["send"]
    broker.error = TopicAuthorizationFailedError
    with pytest.raises(RefusedError, match=r"^[^\n]*allow the user[^\n]*$") as refused:
        transactions.commit([record(b"1")], {0: 1}, "id")
    assert "at-least-once" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UnsupportedVersionError, "start with --delivery at-least-once"),
        (InvalidTransactionTimeoutError, "set transaction.max.timeout.ms of the brokers to 30000"),
        (TransactionalIdAuthorizationFailedError, "'newsreel/group/documents'"),
    ],
)
def test_refused_at_the_start(
    make: Make, broker: Broker, error: type[KafkaError], says: str
) -> None:
    """What a broker never allows ends a start at once; the error has the way out."""
    broker.fails = ["init"] * 9
    broker.error = error
    with pytest.raises(RefusedError) as refused:
        make().begin()
    assert says in str(refused.value)
    assert len(broker.fails) >= 6


def test_shorter_transactions(make: Make, broker: Broker) -> None:
    """A broker that allows only short transactions gets shorter ones."""
    broker.fails = ["init", "init"]
    broker.error = InvalidTransactionTimeoutError
    assert make().begin() == {}
    assert not broker.fails


def test_a_signal_at_the_start(make: Make, broker: Broker) -> None:
    """A signal ends a start, which has nothing to commit."""
    broker.fails = ["init"] * 9
    with pytest.raises(StoppedError):
        make(stopping=lambda: True).begin()


def test_begin_without_a_broker(make: Make, broker: Broker) -> None:
    """A standby that takes over while the broker is away waits for the broker."""
    broker.fails = ["init", "committed", "init"]
    assert make().begin() == {}
    broker.fails = ["init"] * 9
    with pytest.raises(OutageError, match="the transactions of the group: a broker can't be"):
        make().begin(0.0)


def test_commit_by_another_consumer(make: Make, broker: Broker) -> None:
    """A consumer that finds a commit of another one stops, whatever its lease says."""
    old, new = make(), make()
    old.open()
    new.open()
    new.commit([record(b"1")], {0: 1}, "new")
    with pytest.raises(SupersededError):
        old.commit([record(b"2")], {0: 2}, "old")
    assert broker.values == [b"1"]


def test_overdue(make: Make, broker: Broker) -> None:
    """A consumer that is overdue does not wait for the broker."""
    transactions = make(overdue=lambda: True)
    transactions.open()
    broker.fails = ["commit"] * 9
    with pytest.raises(AbandonedError) as abandoned:
        transactions.commit([record(b"1")], {0: 1}, "id")
    assert len(str(abandoned.value).splitlines()) == 1
    assert len(broker.fails) == 8


@pytest.mark.parametrize(
    ("metadata", "id_"),
    [([], None), ([FRESH, ""], None), ([FRESH, "01-a"], "01-a"), (["01-a", "02-b"], "02-b")],
)
def test_checkpoint_id(metadata: list[str], id_: str | None) -> None:
    """The newest checkpoint counts: partitions added lately may still name an older one."""
    assert checkpoint_id({n: OffsetAndMetadata(n, m, -1) for n, m in enumerate(metadata)}) == id_
