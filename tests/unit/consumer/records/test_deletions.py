"""Tombstones, and what databases write when a row is gone."""

import json
from typing import Any

import pytest
from kafka_records import KafkaRecord, document, reading, record, refused

from consumer.records.reader import Ignored, Reading
from newsreel.events.errors import Reason

ROW = {"text": "late", "label": "cards"}

AFTER: dict[str, Any] = {"text": "payload.after.text", "label": "payload.after.label"}

SKIPPED = Reading(None, Ignored.TOMBSTONE)


def enveloped(**payload: Any) -> dict[str, Any]:
    return {"schema": {}, "payload": {"source": {"db": "x"}, "ts_ms": 1, **payload}}


@pytest.mark.parametrize("format_", ["json", "text", "json-registry"])
def test_tombstone(format_: str) -> None:
    """A record without a value is skipped, whatever the format."""
    assert reading(KafkaRecord(None, b"7"), format=format_) == SKIPPED


@pytest.mark.parametrize(
    "value",
    [
        enveloped(before=ROW, after=None, op="d"),
        enveloped(before=ROW, op="d"),
        enveloped(before=None, after=None, op="t"),
        enveloped(before=ROW, after=None, op="d")["payload"],
        {"payload": {"before": ROW, "after": None, "op": "d"}},
        {"schema": None, "payload": None},
        None,
    ],
)
@pytest.mark.parametrize("options", [{}, AFTER, {"text": "after.text", "label": "after.label"}])
def test_deletion(value: Any, options: dict[str, str]) -> None:
    """Events of deleted rows and of emptied tables, and nulls, are skipped."""
    assert reading(record(value), **options) == SKIPPED


@pytest.mark.parametrize("deleted", ["true", True])
def test_deleted_row(deleted: object) -> None:
    """A row that is marked as deleted is skipped, although its fields are still there."""
    assert reading(record(ROW | {"__deleted": deleted})) == SKIPPED
    value = {"schema": {}, "payload": ROW | {"__deleted": deleted}}
    assert reading(record(value), text="payload.text") == SKIPPED


@pytest.mark.parametrize("deleted", ["false", False, None, [], "yes"])
def test_row(deleted: object) -> None:
    """A row with another mark is a document."""
    assert document(record(ROW | {"__deleted": deleted})).label == "cards"


@pytest.mark.parametrize("op", ["c", "u", "r"])
def test_change(op: str) -> None:
    """Events of created, updated and read rows are documents."""
    found = document(record(enveloped(before=None, after=ROW, op=op)), **AFTER)
    assert (found.text, found.label) == ("late", "cards")
    inner = json.dumps(ROW)
    assert document(record(enveloped(after=inner, op=op)), **AFTER).label == "cards"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"op": "d"},
        {"op": "d", "label": "x"},
        {"payload": None},
        enveloped(after={}, op="c"),
        enveloped(before=ROW, after={"id": 7}, op="d"),
        {"payload": {"op": ["d"], "after": None}},
        [],
        [None],
        "d",
    ],
)
def test_no_deletion(value: Any) -> None:
    """Other records without a text are dead letters."""
    refused(record(value), Reason.WRONG_SHAPE, **AFTER)
