"""Read partitions up to offsets that are known."""

import time
from collections.abc import Iterator, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from newsreel.common.errors import UserError


class StalledError(UserError):
    """Records that are known to be there do not arrive."""


def read_until(
    consumer: KafkaConsumer, ends: Mapping[TopicPartition, int], seconds: float
) -> Iterator[ConsumerRecord]:
    """Yield records until each partition is read to its end; some may come from after the ends.

    Parameters
    ----------
    consumer
        Client to which the partitions are assigned.
    ends
        Offset up to which to read, by partition.
    seconds
        Seconds without a record after which reading fails.

    Raises
    ------
    StalledError
        No record arrives.
    """
    deadline = time.monotonic() + seconds
    while missing := [tp for tp, end in ends.items() if consumer.position(tp) < end]:
        fetched = consumer.poll(timeout_ms=500)
        if fetched:
            deadline = time.monotonic() + seconds
        elif time.monotonic() > deadline:
            raise StalledError(
                f"no record of {missing[0].topic!r} arrived for {seconds:.0f} s, before its end;"
                " check the broker and try again"
            )
        for records in fetched.values():
            yield from records
