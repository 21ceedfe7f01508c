"""Choose other forms of a record that its topic refuses: with a key, or without large parts."""

from collections.abc import Iterator
from dataclasses import replace

from consumer.kafka.outbox import Outgoing, shortened

PART_BYTES = (900_000, 300_000, 64 << 10, 16 << 10, 4 << 10, 1 << 10, 0)
"""Largest key, value or headers of a record, from one form to the next."""

HEADER_BYTES = 64
"""Largest header of newsreel's own in the smallest form."""


def forms(record: Outgoing) -> Iterator[Outgoing]:
    """Yield a record as it is, then forms that keep less and less of it.

    A value that readers rely on, such as that of a prediction, becomes a smaller value; the parts
    of other records are dropped, the large ones first.
    """
    yield from _with_any_key(record)
    if record.smaller_values is not None:
        for value in record.smaller_values(record.value or b""):
            yield replace(record, value=value)
        return
    last = record
    for limit in PART_BYTES:
        if (form := shortened(record, limit)) != last:
            yield from _with_any_key(form)
            last = form
    yield from _with_any_key(
        replace(last, about=[(name, content[:HEADER_BYTES]) for name, content in last.about])
    )


def _with_any_key(record: Outgoing) -> Iterator[Outgoing]:
    yield record
    if record.key is None and record.spare_key is not None:
        # With a key, a missing value would mark the record for deletion.
        yield replace(record, key=record.spare_key, value=record.value or b"")
