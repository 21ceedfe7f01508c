"""Transactions on a broker that fails at any call; what it has committed is what counts."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    TopicAuthorizationFailedError,
)

from consumer.checkpoints.interrupts import Interrupts
from consumer.checkpoints.manifest import CheckpointError
from consumer.kafka import offsets
from consumer.kafka import transaction as module
from consumer.kafka.offsets import FRESH, named
from consumer.kafka.outbox import Outgoing
from consumer.kafka.transaction import AbandonedError, RefusedError, SupersededError, Transactions
from newsreel.common.kafka import Connection

CALLS = ["init", "begin", "send", "offsets", "commit", "commit that went through", "committed"]


class Broker:
    """What has been committed, who may commit, and the calls that fail."""

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


class Delivery:
    def get(self, timeout: float) -> None: ...


class Producer:
    """Stands in for kafka-python's."""

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

    def send(self, topic: str, value: bytes | None, **other: Any) -> Delivery:
        self.broker.called("send")
        size = len(other["key"] or b"") + len(value or b"")
        size += sum(len(content) for _, content in other["headers"])
        if size > self.broker.most:
            raise MessageSizeTooLargeError
        self.values.append(value)
        self.headers += other["headers"]
        return Delivery()

    def flush(self) -> None:
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
    """Stands in for kafka-python's."""

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

    monkeypatch.setattr(module, "KafkaProducer", producer)
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


def test_all_or_nothing(make: Make, broker: Broker) -> None:
    """Records and offsets are committed together, the offsets with the name of the checkpoint."""
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
    """Whichever call fails, even twice, records are committed once."""
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
def test_too_large(make: Make, broker: Broker, part: str) -> None:
    """What the broker can't take goes without its large part, and says how much is missing."""
    large = b"x" * (1 << 20)
    record = Outgoing(
        "documents.dead-letters",
        large if part == "key" else b"key",
        large if part == "value" else b"value",
        [("dl_a", large if part == "headers" else b"1")],  # as a foreign letter may have
        [("dl_reason", b"why")],
    )
    transactions = make()
    transactions.open()
    transactions.commit([record], {0: 1}, "id")
    assert broker.values == [b"" if part == "value" else b"value"]
    headers = dict(broker.headers)
    assert int(headers.pop(f"dl_{part}_bytes")) >= len(large)
    assert headers == {"dl_reason": b"why"} | ({} if part == "headers" else {"dl_a": b"1"})


def test_a_large_key_of_nothing(make: Make, broker: Broker) -> None:
    """A deletion whose key can't be taken is still told: the client is given something to send."""
    record = Outgoing("documents.dead-letters", b"x" * (1 << 20), None, [], [("dl_reason", b"why")])
    transactions = make()
    transactions.open()
    transactions.commit([record], {0: 1}, "id")
    assert broker.values == [b""]


def test_much_is_sent_in_parts(make: Make, broker: Broker) -> None:
    """After a long outage much waits: no record waits in the client for all before it."""
    transactions = make()
    transactions.open()
    records = [record(b"x" * (100 << 10)) for _ in range(25)]
    transactions.commit(records, {0: 25}, "id")
    assert len(broker.values) == 25
    assert broker.sent_between_flushes == [11, 11, 3]


def test_a_topic_that_is_not_seen_for_a_moment(make: Make, broker: Broker) -> None:
    """That nothing is known of its partitions does not mean that nothing was committed."""
    transactions = make()
    transactions.open()
    transactions.commit([], {0: 1}, "first")
    broker.unseen = 2
    assert named(transactions.begin()) == "first"


def test_fenced(make: Make, broker: Broker) -> None:
    """One that another has taken over from commits nothing, and does not fence the other."""
    taken = False
    old, new = make(fenced=lambda: taken), make()
    old.open()
    old.commit([record(b"1")], {0: 1}, "first")
    new.open()
    taken = True
    with pytest.raises(SupersededError, match="another consumer has taken over group 'group'"):
        old.commit([record(b"2")], {0: 2}, "old")
    new.commit([record(b"3")], {0: 3}, "new")
    assert broker.values == [b"1", b"3"]


def test_taken_over_while_it_waits(make: Make, broker: Broker) -> None:
    """Who has just waited looks whether the fence is another's before it is lifted."""
    taken = False
    new = make()

    def take_over() -> None:
        nonlocal taken
        new.open()
        taken = True

    old = make(CountRetries(take_over), fenced=lambda: taken)
    old.open()
    broker.fails = ["send"]
    with pytest.raises(SupersededError):
        old.commit([record(b"2")], {0: 2}, "old")
    new.commit([record(b"3")], {0: 3}, "new")
    assert broker.values == [b"3"]


def test_taken_over_while_it_opens(make: Make, broker: Broker) -> None:
    """Who lifts a fence looks once more behind it: opening may have taken long."""
    taken = False
    new = make()
    old = make(fenced=lambda: taken)
    old.open()
    old.commit([record(b"1")], {0: 1}, "first")
    broker.fails = ["send"]
    init = Producer.init_transactions

    def slow(producer: Producer) -> None:
        nonlocal taken
        if not taken:
            taken = True
            new.open()
        init(producer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Producer, "init_transactions", slow)
        with pytest.raises(SupersededError):
            old.commit([record(b"2")], {0: 2}, "old")
    new.commit([record(b"3")], {0: 3}, "new")  # fenced, and not lost: it opens again
    assert broker.values == [b"1", b"3"]


def test_a_checkpoint_that_is_gone(make: Make, broker: Broker) -> None:
    """Offsets never name a checkpoint that was deleted while the broker was away."""
    transactions = make()
    transactions.open()
    broker.fails = ["send"]
    with pytest.raises(CheckpointError, match="deleted"):
        transactions.commit([record(b"1")], {0: 1}, "id", lambda: False)
    assert broker.values == []


def test_refused(make: Make, broker: Broker) -> None:
    """What Kafka does not allow is not tried again for ever, and said in a line."""
    transactions = make()
    transactions.open()
    broker.fails = ["send"]
    broker.error = TopicAuthorizationFailedError
    with pytest.raises(RefusedError, match=r"^[^\n]*allow its user[^\n]*$"):
        transactions.commit([record(b"1")], {0: 1}, "id")


def test_beginning_without_a_broker(make: Make, broker: Broker) -> None:
    """A standby that takes over while the broker is away waits for it."""
    broker.fails = ["init", "committed", "init"]
    assert make().begin() == {}
    broker.fails = ["init"] * 9
    with pytest.raises(AbandonedError):
        make(overdue=lambda: True).begin()


def test_another_has_committed(make: Make, broker: Broker) -> None:
    """One that finds a commit which is not its own has been taken over, lease or not."""
    old, new = make(), make()
    old.open()
    new.open()
    new.commit([record(b"1")], {0: 1}, "new")
    with pytest.raises(SupersededError):
        old.commit([record(b"2")], {0: 2}, "old")
    assert broker.values == [b"1"]


def test_overdue(make: Make, broker: Broker) -> None:
    """One that has to end does not wait for a broker."""
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
def test_named(metadata: list[str], id_: str | None) -> None:
    """Partitions gained lately have an older mark than the rest: the newest checkpoint counts."""
    assert named({n: OffsetAndMetadata(n, m, -1) for n, m in enumerate(metadata)}) == id_
