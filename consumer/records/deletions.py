"""Recognize what databases write when a row is gone; such records hold no document."""

from typing import Any

DELETIONS = ("d", "t")
"""Debezium's operations that leave no row: delete and truncate."""

ENVELOPE = frozenset({"before", "after", "source"})
"""Fields of Debezium's envelope, one of which is there beside the operation."""


def is_deletion(value: Any) -> bool:
    """Return whether a value is Debezium's event of a deleted row or of an emptied table.

    A null of JSON, alone or in the envelope of Kafka Connect, is a tombstone as well.
    """
    if isinstance(value, dict) and "schema" in value and "payload" in value:
        value = value["payload"]
    if not isinstance(value, dict):
        return value is None
    inner = value.get("payload", value)
    return (
        isinstance(inner, dict)
        and inner.get("op") in DELETIONS
        and inner.get("after") is None
        and not ENVELOPE.isdisjoint(inner)
    )


def is_deleted_row(value: Any) -> bool:
    """Return whether a value is a row that Debezium marked as deleted when it took it out.

    Its other fields are those of the row before.
    """
    row = value.get("payload", value) if isinstance(value, dict) else None
    return isinstance(row, dict) and row.get("__deleted") in ("true", True)
