"""The polling thread, when the Kafka client raises errors."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import pytest
from helpers import CountPolls
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CorruptRecordError,
    KafkaConnectionError,
    LogTruncationError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)

from consumer.kafka import poller as module
from consumer.kafka import topic_identity
from consumer.kafka.look import Ends, Look, Replicas
from consumer.kafka.lost_records import LostOffsets
from consumer.kafka.partition_watch import PartitionStates
from consumer.kafka.poller import Poller
from consumer.kafka.topic_client import TopicClient
from newsreel.common.errors import UserError

PARTITION = TopicPartition("documents", 0)

PATIENCE_SECONDS = 5.0

LEADER = Replicas("1 at localhost:9092", 1, 1)


class Client:
    """A client of a topic in memory: partitions without records, and errors to raise."""

    topic = "documents"
    user = None

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.look_errors: list[Exception] = []
        self.id: str | None = "A"
        self.partitions = {0: LEADER}
        self.beginning = 0
        self.end = 0
        self.at: dict[int, int] = {}
        self.fetched: set[int] = set()
        self.renewed = 0

    def assign(self, positions: Mapping[int, int]) -> None:
        self.at |= positions

    def seek(self, partition: int, offset: int) -> None:
        self.at[partition] = offset

    def positions(self, partitions: Iterable[int]) -> dict[int, int]:
        return {partition: self.at[partition] for partition in partitions}

    def beginnings(self, partitions: Iterable[int]) -> dict[int, int]:
        return {p: self.beginning for p in partitions if self.partitions[p].leader is not None}

    def look(self, _: Mapping[int, int]) -> Look:
        if self.look_errors:
            raise self.look_errors.pop(0)
        led = [p for p, found in self.partitions.items() if found.leader is not None]
        ends = dict.fromkeys(led, Ends(self.end, self.end))
        return Look(time.monotonic(), self.id, dict(self.partitions), ends)

    def ask(self, _: Mapping[int, int]) -> None: ...

    def answer(self) -> Look:
        return self.look({})

    def open_transactions(self, _: Iterable[int]) -> dict[int, Any]:
        return {}

    def fetch(self, partitions: set[int], _at_most: int, _timeout: float) -> dict[int, Any]:
        self.fetched = partitions
        if self.errors:
            raise self.errors.pop(0)
        time.sleep(0.001)
        return {}

    def place(self) -> str:
        return "partition 0 of 'documents' at offset 5"

    def renew(self) -> None:
        self.renewed += 1

    def close(self) -> None: ...


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(topic_identity, "SURE_SECONDS", 0.1)


@contextmanager
def polling(
    client: Client, lost_offsets: LostOffsets = "stop", observer: CountPolls | None = None
) -> Iterator[Poller]:
    poller = Poller(
        cast("TopicClient", client),
        {0: 5},
        10,
        lost_offsets,
        observer or CountPolls(),
        look_seconds=0.01,
    )
    poller.start()
    try:
        yield poller
    finally:
        poller.close()


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def failure(poller: Poller) -> str:
    """Return the message with which taking fails: one line."""
    wait_until(poller.problem)
    with pytest.raises(UserError) as failed:
        poller.queue.take(PATIENCE_SECONDS)
    assert len(str(failed.value).splitlines()) == 1
    return str(failed.value)


def test_first_positions(client: Client) -> None:
    """Reading begins at the given positions; while the broker answers, the poller is ready."""
    with polling(client) as poller:
        assert client.at == {0: 5}
        wait_until(lambda: poller.queue.in_touch)
        assert poller.queue.take(0.0) is None
        assert poller.not_ready() is None


@pytest.mark.parametrize("error", [RuntimeError("no more"), CorruptRecordError("no more")])
def test_records_that_no_client_can_read(client: Client, error: Exception) -> None:
    """When new clients fail, too, taking and both health checks name the place, in one line."""
    client.errors = [error] * 100
    with polling(client) as poller:
        message = failure(poller)
        assert "no more" in message
        assert "partition 0 of 'documents' at offset 5" in message
        assert message == poller.problem() == poller.not_ready()
    assert client.renewed == 2


def test_records_that_a_new_client_can_read(client: Client) -> None:
    """A batch that was damaged on its way is fetched again, by a new client."""
    client.errors = [CorruptRecordError("failed crc check")]
    with polling(client) as poller:
        wait_until(lambda: client.renewed and poller.queue.in_touch)
        assert poller.problem() is None


def test_outage(client: Client) -> None:
    """A poll that fails with a retriable error is tried again."""
    client.errors = [KafkaConnectionError("away"), KafkaConnectionError("away")]
    with polling(client) as poller:
        wait_until(lambda: not client.errors and poller.queue.in_touch)
        assert poller.problem() is None


def test_right_that_is_revoked(client: Client) -> None:
    """A right that is taken away while the topic is read ends reading, and is named."""
    client.errors = [TopicAuthorizationFailedError({"documents"})]
    with polling(client) as poller:
        message = failure(poller)
    assert "may no longer read topic 'documents'" in message
    assert "Describe" in message


@pytest.mark.parametrize("lost_offsets", ["stop", "continue"])
def test_outage_while_lost_records_are_counted(client: Client, lost_offsets: LostOffsets) -> None:
    """The broker may also go away while the poller asks which records are lost."""
    client.end = 10
    client.errors = [OffsetOutOfRangeError({}), OffsetOutOfRangeError({})]
    client.look_errors = [KafkaConnectionError("away")] * 3
    with polling(client, lost_offsets=lost_offsets) as poller:
        wait_until(lambda: not client.errors and not client.look_errors)
        assert poller.problem() is None


def test_nothing_is_lost(client: Client) -> None:
    """An error that no leader confirms is a failed poll, after which the poller waits."""
    client.end = 10
    client.errors = [OffsetOutOfRangeError({PARTITION: 5})] * 3
    observer = CountPolls()
    with polling(client, observer=observer) as poller:
        wait_until(lambda: not client.errors)
        wait_until(lambda: observer.retries == 3)
        assert (poller.problem(), client.at, observer.records) == (None, {0: 5}, 0)


def test_lost_records_stop_the_poller(client: Client) -> None:
    """The error counts records deleted before they were read, and names the option to continue."""
    client.beginning, client.end = 8, 20
    client.errors = [OffsetOutOfRangeError({PARTITION: 5})]
    with polling(client, lost_offsets="stop") as poller:
        message = failure(poller)
    assert "3 records from 5 on" in message
    assert "--lost-offsets continue" in message


def test_lost_records_are_skipped(client: Client) -> None:
    """With "continue", reading continues at the first record that is left."""
    client.beginning, client.end = 8, 20
    client.errors = [OffsetOutOfRangeError({PARTITION: 5})]
    observer = CountPolls()
    with polling(client, lost_offsets="continue", observer=observer):
        wait_until(lambda: observer.records)
        assert (observer.records, client.at) == (3, {0: 8})


def test_loss_without_a_leader(client: Client) -> None:
    """A partition that lost records waits for its leader, and the others are read meanwhile."""
    client.beginning, client.end = 8, 20
    client.partitions |= {0: LEADER._replace(leader=None), 1: LEADER}
    observer = CountPolls()
    with polling(client, lost_offsets="continue", observer=observer):
        wait_until(lambda: 1 in client.fetched)
        client.errors = [OffsetOutOfRangeError({PARTITION: 5})]
        wait_until(lambda: not client.errors)
        wait_until(lambda: client.fetched == {1})
        client.partitions[0] = LEADER
        wait_until(lambda: observer.records)
        assert (observer.records, client.at[0]) == (3, 8)


@pytest.mark.parametrize("lost_offsets", ["stop", "continue"])
def test_topic_created_again_without_ids(client: Client, lost_offsets: LostOffsets) -> None:
    """Where topics have no ids, one that ends before the position is another: both options stop."""
    client.end, client.id = 2, None
    client.errors = [OffsetOutOfRangeError({PARTITION: 5})]
    with polling(client, lost_offsets=lost_offsets) as poller:
        assert "created again" in failure(poller)


@pytest.mark.parametrize("diverged", [None, 3])
def test_truncation(client: Client, diverged: int | None) -> None:
    """A topic of the same id that has lost records that were read stops the poller, by default."""
    client.end = 4
    client.errors = [truncation(diverged)]
    with polling(client) as poller:
        message = failure(poller)
    assert "unclean leader election: partition 0 of 'documents' now ends at 4" in message
    assert "before the position 5" in message
    assert "--lost-offsets continue" in message


@pytest.mark.parametrize(("end", "diverged", "resume"), [(2, None, 2), (4, 3, 3), (9, 3, 3)])
def test_truncation_is_skipped(client: Client, end: int, diverged: int | None, resume: int) -> None:
    """With "continue", reading goes on where the log differs, and the position moves back once."""
    client.end = end
    client.errors = [truncation(diverged)]
    observer = CountPolls()
    with polling(client, lost_offsets="continue", observer=observer) as poller:
        wait_until(lambda: observer.records)
        assert (observer.records, client.at) == (5 - resume, {0: resume})
        assert poller.queue.past_gap(0, 5) == resume
        assert poller.queue.past_gap(0, 7) == 7


def truncation(diverged: int | None) -> Exception:
    if diverged is None:
        return OffsetOutOfRangeError({PARTITION: 5})
    return LogTruncationError({PARTITION: OffsetAndMetadata(diverged, "", 1)})


def test_topic_that_is_gone(client: Client) -> None:
    """A topic that brokers no longer know is not fetched, and soon ends reading."""
    with polling(client) as poller:
        wait_until(lambda: client.fetched)
        client.partitions = {}
        wait_until(lambda: "is gone" in str(poller.not_ready()))
        assert poller.problem() is None
        wait_until(lambda: not client.fetched)
        assert "--keep-model" in failure(poller)


def test_topic_that_comes_back(client: Client) -> None:
    """A broker that does not know the topic for a moment ends nothing."""
    with polling(client) as poller:
        wait_until(lambda: poller.queue.in_touch)
        client.partitions = {}
        wait_until(poller.not_ready)
        client.partitions = {0: LEADER}
        wait_until(lambda: poller.not_ready() is None)
        assert poller.problem() is None


def test_topic_created_again(client: Client) -> None:
    """A topic of another id is another topic, whatever its ends are."""
    client.end = 9
    with polling(client) as poller:
        wait_until(lambda: client.fetched)
        client.id = "B"
        message = failure(poller)
    assert "deleted and created again" in message
    assert "--keep-model" in message


def test_added_partition(client: Client) -> None:
    """A partition that is added is read from its beginning; other positions stay.

    Reading from its end would skip records written before the poller noticed the partition.
    """
    with polling(client):
        client.at[0] = 7
        client.partitions, client.beginning, client.end = {0: LEADER, 1: LEADER}, 3, 9
        wait_until(lambda: len(client.at) == 2)
        assert client.at == {0: 7, 1: 3}


def test_partition_without_a_leader(client: Client) -> None:
    """A partition without a leader is named and not fetched; the others are, and it comes back."""
    observer = CountPolls()
    client.partitions = {0: LEADER, 1: Replicas(None, 1, 0)}
    client.end = 5
    with polling(client, observer=observer) as poller:
        wait_until(lambda: "partition 1 of 'documents' has no" in str(poller.not_ready()))
        assert observer.seen[-1].leaderless == 1
        assert poller.problem() is None
        wait_until(lambda: client.fetched == {0})
        assert not poller.queue.in_touch  # whether records wait in partition 1 is not known
        client.partitions = {0: LEADER, 1: LEADER}
        wait_until(lambda: poller.not_ready() is None)
        assert client.at == {0: 5, 1: 0}
        wait_until(lambda: 1 in client.fetched)
        wait_until(lambda: observer.seen[-1] == PartitionStates(problems=[], notices=[]))


def test_partition_that_is_not_fetched(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition that is not fetched while records wait is named; a new client may fetch it."""
    monkeypatch.setattr("consumer.kafka.partition_watch.STALLED_SECONDS", 0.05)
    client.end = 300
    with polling(client) as poller:
        wait_until(lambda: client.renewed)
        assert "partition 0 of 'documents' is not fetched, though 295" in str(poller.not_ready())
        assert not poller.queue.in_touch
        client.at[0] = 300
        wait_until(lambda: poller.queue.in_touch)
        assert poller.not_ready() is None
    assert client.renewed == 1
