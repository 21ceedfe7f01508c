"""Records that topics refuse change their form, and no other record does."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.errors import (
    InvalidRecordError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    UnknownError,
)

from consumer.kafka import refusals as module
from consumer.kafka.outbox import Outgoing
from consumer.kafka.refusals import FORGET_SECONDS, Refusals
from consumer.kafka.sending import RecordsRefusedError, Sending

Rule = Callable[[Outgoing], type[KafkaError] | None]


class Sent:
    """The future of a sent record."""

    def __init__(self) -> None:
        self.error: KafkaError | None = None

    def get(self, timeout: float) -> None:
        if self.error is not None:
            raise self.error


class Producer:
    """A producer that flushes as kafka-python does.

    The records of a topic are a batch. After the first batch that is refused, records that were
    not sent fail with its error; so do those that are sent later.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._waiting: list[tuple[Outgoing, Sent]] = []
        self._error: KafkaError | None = None
        self._splits = True
        self.published: list[Outgoing] = []

    def send(self, topic: str, *, key: Any, value: Any, headers: Any) -> Sent:
        if self._error is not None:
            raise KafkaError("an earlier request has failed", self._error)
        sent = Sent()
        self._waiting.append((Outgoing(topic, key, value, headers), sent))
        return sent

    def flush(self, timeout: float) -> None:
        self._splits = not self._splits
        if self._splits and len(self._waiting) > 1:
            raise UnknownError("Future not done")
        waiting, self._waiting = self._waiting, []
        for topic in dict.fromkeys(record.topic for record, _ in waiting):
            batch = [(record, sent) for record, sent in waiting if record.topic == topic]
            self._settle(batch)

    def _settle(self, batch: list[tuple[Outgoing, Sent]]) -> None:
        verdicts = [self._rules.get(record.topic, accept)(record) for record, _ in batch]
        for (record, sent), verdict in zip(batch, verdicts, strict=True):
            if self._error is not None:
                sent.error = self._error
            elif verdict is not None:
                sent.error = verdict("no")
            elif any(verdicts):
                sent.error = KafkaError("part of a batch with invalid records")
            else:
                self.published.append(record)
        self._error = self._error or next((kind("no") for kind in verdicts if kind), None)


class Observer:
    """Counts refused records."""

    changed = unpublished = 0

    def records_refused(self, changed: int, unpublished: int) -> None:
        self.changed += changed
        self.unpublished += unpublished


def accept(_: Outgoing) -> None:
    return None


def compacted(record: Outgoing) -> type[KafkaError] | None:
    return InvalidRecordError if record.key is None else None


def at_most(size: int) -> Rule:
    def rule(record: Outgoing) -> type[KafkaError] | None:
        parts = len(record.key or b"") + len(record.value or b"")
        parts += sum(len(content) for _, content in record.headers)
        return MessageSizeTooLargeError if parts > size else None

    return rule


def nothing(_: Outgoing) -> type[KafkaError]:
    return PolicyViolationError


def letter(number: int, key: bytes | None = None, value: bytes = b"{") -> Outgoing:
    about = [("dl_offset", b"%d" % number)]
    return Outgoing("letters", key, value, [], about, spare_key=b"place-%d" % number)


def prediction(number: int) -> Outgoing:
    return Outgoing("predictions", b"id", b"%d" % number, [])


def commit(
    records: list[Outgoing], rules: Mapping[str, Rule], refusals: Refusals
) -> tuple[list[Outgoing], int, Observer]:
    """Send records until an attempt succeeds; return what it published, and the attempts."""
    sending, observer = Sending(records, refusals), Observer()
    for attempts in range(1, 1000):
        producer = Producer(rules)
        try:
            sending.attempt(producer)
        except RecordsRefusedError as error:
            adapted = sending.adapt(error)
        else:
            sending.finish(observer)
            return producer.published, attempts, observer
        assert adapted
    raise AssertionError


def by_number(published: list[Outgoing]) -> dict[int, Outgoing]:
    return {int(dict(record.headers)["dl_offset"]): record for record in published}


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 3000), max_size=60),
    keys=st.lists(st.sampled_from([None, b"k"]), min_size=60, max_size=60),
    most=st.integers(60, 2000),
    compact=st.booleans(),
)
def test_only_refused_records_change(
    sizes: list[int], keys: list[bytes | None], most: int, *, compact: bool
) -> None:
    """Records that their topics take are published as they are; the others, in another form."""
    letters = [letter(n, keys[n], bytes(size)) for n, size in enumerate(sizes)]
    records = [each for n, one in enumerate(letters) for each in (prediction(n), one)]
    size_rule = at_most(most)

    def rule(record: Outgoing) -> type[KafkaError] | None:
        return (compact and compacted(record)) or size_rule(record)

    published, attempts, observer = commit(records, {"letters": rule}, Refusals())
    assert [r.value for r in published if r.topic == "predictions"] == [
        b"%d" % n for n in range(len(sizes))
    ]
    found = by_number([record for record in published if record.topic == "letters"])
    assert len(found) == len(letters), "each is published once"
    changed = 0
    for number, one in enumerate(letters):
        sent = Outgoing("letters", one.key, one.value, [*one.headers, *one.about])
        if rule(sent) is None:
            assert (found[number].key, found[number].value) == (one.key, one.value)
        else:
            changed += 1
            assert rule(found[number]) is None
    assert (observer.changed, observer.unpublished) == (changed, 0)
    assert attempts <= 30


def test_a_refusal_is_remembered_for_a_while() -> None:
    """Later commits begin with the form that the topic takes, until it may have been corrected."""
    now = 0.0
    refusals = Refusals(lambda: now)
    rules: dict[str, Rule] = {"letters": compacted}
    assert commit([letter(0)], rules, refusals)[1] == 2
    published, attempts, _ = commit([letter(1), letter(2, b"k")], rules, refusals)
    assert attempts == 1
    assert [record.key for record in published] == [b"place-1", b"k"]
    now = FORGET_SECONDS + 1.0
    rules = {}
    assert commit([letter(3)], rules, refusals)[0][0].key is None


def test_a_topic_that_takes_nothing_is_closed() -> None:
    """Its records are counted, and soon no attempt is spent on it."""
    refusals = Refusals()
    rules = {"letters": nothing}
    records = [each for n in range(100) for each in (letter(n, b"k"), prediction(n))]
    published, attempts, observer = commit(records, rules, refusals)
    assert len(published) == 100
    assert attempts < 60
    assert observer.unpublished == 100
    assert commit([letter(0, b"k"), prediction(0)], rules, refusals)[1] == 1


def test_some_records_are_refused_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    """The others of the topic are published, whatever their order; one line names the topic."""

    def odd(record: Outgoing) -> type[KafkaError] | None:
        number = int(dict(record.headers)["dl_offset"])
        return PolicyViolationError if number < 4 or number % 2 else None

    records = [letter(n, b"k") for n in range(20)]
    published, _, observer = commit(records, {"letters": odd}, Refusals())
    assert sorted(by_number(published)) == [4, 6, 8, 10, 12, 14, 16, 18]
    assert observer.unpublished == 12
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "the topic refuses records as they are" in lines[0]


def test_refusals_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that refuses at random gets nothing more after a number of attempts."""
    monkeypatch.setattr("consumer.kafka.sending.MOST_REFUSALS", 10)
    monkeypatch.setattr(module, "hash_of", lambda _: id(object()))
    published, attempts, observer = commit(
        [letter(0, b"k"), prediction(0)], {"letters": nothing}, Refusals()
    )
    assert len(published) == 1
    assert attempts <= 12
    assert observer.unpublished == 1


def test_other_failures_are_no_refusals() -> None:
    """A broker that is away changes no form."""

    def away(_: Outgoing) -> type[KafkaError]:
        return KafkaConnectionError

    sending = Sending([letter(0)], Refusals())
    with pytest.raises(KafkaConnectionError) as failed:
        sending.attempt(Producer({"letters": away}))
    assert not sending.adapt(failed.value)
    producer = Producer({})
    sending.attempt(producer)
    assert [record.key for record in producer.published] == [None]


def test_go_on() -> None:
    """Without a transaction, what was delivered is not sent again."""
    sending = Sending([prediction(0), letter(1), prediction(2)], Refusals())
    first = Producer({"letters": compacted})
    with pytest.raises(RecordsRefusedError) as failed:
        sending.go_on(first)
    assert sending.adapt(failed.value)
    second = Producer({"letters": compacted})
    sending.go_on(second)
    assert sending.done
    assert [r.value for r in [*first.published, *second.published]] == [b"0", b"2", b"{"]


def test_a_record_that_the_client_refuses() -> None:
    """Records that were sent before a refused one are not sent again."""

    class Small(Producer):
        def send(self, topic: str, *, key: Any, value: Any, headers: Any) -> Sent:
            if len(value) > 9_000:
                raise MessageSizeTooLargeError
            return super().send(topic, key=key, value=value, headers=headers)

    records = [prediction(0), letter(1, b"k", bytes(range(256)) * 300), prediction(2)]
    sending, producer = Sending(records, Refusals()), Small({})
    with pytest.raises(RecordsRefusedError) as failed:
        sending.go_on(producer)
    assert list(failed.value.errors) == [1]
    assert sending.adapt(failed.value)
    sending.go_on(producer)
    assert sending.done
    assert [record.value for record in producer.published] == [b"0", b"", b"2"]
