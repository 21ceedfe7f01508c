"""Envelopes that connectors put around data, and those fields of the data that are documents."""

from typing import Any

from consumer.records.places import leaves, parsed

NO_DATA = frozenset({"schema", "before", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"})
"""Fields of the envelopes of Kafka Connect and Debezium that hold no data."""


def envelope_of(value: dict[str, Any]) -> str:
    """Return the name of the envelope around the data of an object, to follow "objects"."""
    payload = value.get("payload")
    inner = payload if isinstance(payload, dict) else value
    if "after" in inner and ("op" in inner or "before" in inner):
        return " in the envelope of Debezium"
    if "schema" in value and "payload" in value:
        return " in the envelope of Kafka Connect (schema and payload)"
    if "specversion" in value and "source" in value:
        return " in the envelope of CloudEvents"
    return ""


def leaves_of_data(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return path and value of each field that holds no object; envelopes' own fields are left out.

    JSON in a string is looked into, as are lists of one value.
    """
    enveloped = bool(envelope_of(value))
    found: list[tuple[str, Any]] = []
    for path, leaf in leaves(value):
        if enveloped and NO_DATA & set(path.split(".")[:2]):
            continue
        inner = parsed(leaf) if isinstance(leaf, str) and leaf.lstrip()[:1] == "{" else None
        if isinstance(inner, dict):
            found += leaves(inner, path)
        else:
            found.append((path, leaf))
    return found
