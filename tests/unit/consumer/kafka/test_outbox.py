"""The outbox: no record is lost, and none is sent twice."""

from unittest.mock import Mock

import pytest

from consumer.kafka.outbox import (
    RECORD_OVERHEAD_BYTES,
    Outbox,
    Outgoing,
    TransactionalDelivery,
    send,
)


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"k", None), (None, b"v")])
def test_record_without_key_or_value(key: bytes | None, value: bytes | None) -> None:
    """A missing value stays missing, unless the key is missing, too: the client refuses both."""
    producer = Mock()
    send(producer, Outgoing("t", key, value, []))
    sent = producer.send.call_args.kwargs
    assert sent["key"] == key
    assert sent["value"] == (b"" if key is None and value is None else value)


class Future:
    """Outcome of a delivery."""

    def __init__(self, *, succeeded: bool) -> None:
        self._succeeded = succeeded

    def succeeded(self) -> bool:
        return self._succeeded


class FlakyDelivery:
    """A delivery that sends at once: True arrives, False fails, None finds no room."""

    def __init__(self) -> None:
        self.flushed = 0
        self.outcomes: list[bool | None] = []

    def send(self, record: Outgoing) -> Future | None:
        outcome = self.outcomes.pop(0)
        return None if outcome is None else Future(succeeded=outcome)

    def flush(self) -> None:
        self.flushed += 1

    def close(self) -> None: ...


def records(count: int) -> list[Outgoing]:
    return [Outgoing("t", b"k", b"%d" % number, []) for number in range(count)]


def test_transactional_delivery() -> None:
    """With exactly-once, the transaction sends all records in their order."""
    outbox = Outbox(TransactionalDelivery())
    outbox.put(records(3))
    waiting = outbox.waiting()
    outbox.put(records(1))
    assert outbox.undelivered(waiting) == records(3)
    assert outbox.size == 4 * (RECORD_OVERHEAD_BYTES + 2)
    outbox.drop(len(waiting))
    assert [record for record, _ in outbox.waiting()] == records(1)
    outbox.drop(1)
    assert (outbox.waiting(), outbox.size) == ([], 0)


def test_immediate_delivery() -> None:
    """With at-least-once, the transaction sends records that failed or found no room."""
    delivery = FlakyDelivery()
    delivery.outcomes = [True, False, None, True]
    outbox = Outbox(delivery)
    outbox.put(records(4))
    assert outbox.undelivered(outbox.waiting()) == records(4)[1:3]
    assert delivery.flushed == 1
