"""Recognize what the records of a topic are, and the options that read them."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumer.records import cloudevents, signatures
from consumer.records.candidates import (
    field_values,
    id_options,
    label_outside,
    label_place,
    named,
    text_places,
    time_place,
)
from consumer.records.envelopes import envelope_of
from consumer.records.formats import Json, RegistryJson, ValueFormat
from consumer.records.places import parsed
from consumer.records.reader import KafkaRecord
from newsreel.events.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Recognition:
    """What records look like, and the options that read them."""

    description: str
    options: Mapping[str, str]
    """Values of options of the consumer; empty if the default options read the records."""
    problem: str = ""
    """Why no options read the records, and what to do instead; empty if some do."""


def command_line(options: Mapping[str, str]) -> str:
    """Return options as a shell takes them."""
    return shlex.join(word for option in options.items() for word in option)


def recognize(records: Sequence[KafkaRecord]) -> Recognition:
    """Recognize the records of a topic by a sample of them."""
    values = [record.value for record in records if record.value]
    if not values:
        return Recognition("records without values", {}, "there is nothing to read")
    found = [signatures.recognize(value) for value in values]
    kinds = Counter(each.kind for each in found if each is not None)
    kind, count = kinds.most_common(1)[0] if kinds else ("", 0)
    if count * 2 > len(values):
        signature = next(each for each in found if each is not None and each.kind == kind)
        if kind == "registry-json":
            options = {"--format": "json-registry"}
            return recognize_objects(records, RegistryJson(), options, signature.description)
        if kind != "xml":
            return Recognition(signature.description, {}, signature.advice)
    return _json_or_text(records)


def _json_or_text(records: Sequence[KafkaRecord]) -> Recognition:
    values = [record.value or b"" for record in records if record.value]
    parsed = [_parse(value, Json()) for value in values]
    if sum(isinstance(each, dict) for each in parsed) * 2 > len(values):
        return recognize_objects(records, Json(), {})
    if sum(isinstance(each, list) for each in parsed) * 2 > len(values):
        return Recognition(
            f"JSON lists, such as {_shown(values[0])}",
            {},
            "publish one document a record, or name a place in the list, such as --text-field 0",
        )
    try:
        for value in values:
            value.decode()
    except UnicodeDecodeError:
        return Recognition(
            f"bytes of an unknown format, such as {values[0][:16].hex(' ')}",
            {},
            "publish them as JSON, as text in UTF-8, or as Avro with a schema registry",
        )
    options = {"--format": "text"}
    label = label_outside(records, "header:label")
    if sum(isinstance(each, str) for each in parsed) * 2 > len(values):
        options = {"--text-field": "value"}
        label = label_outside(records, "label")
    if label.get("--label-field") != "key":
        options |= id_options(records, {})
    return Recognition(f"text, such as {_shown(values[0])}", options | label)


def _shown(value: bytes) -> str:
    return repr(value.decode("utf-8-sig", "replace")[:60])


def _parse(value: bytes, value_format: ValueFormat) -> Any:
    try:
        return value_format.decode(value)
    except DecodeError:
        return None


def recognize_objects(
    records: Sequence[KafkaRecord],
    value_format: ValueFormat,
    options: Mapping[str, str],
    description: str = "",
) -> Recognition:
    """Recognize the fields of objects.

    Parameters
    ----------
    value_format
        Format of the values.
    options
        Options that say so.
    description
        What the values are.
    """
    options = dict(options)
    found = [(record, _parse(record.value or b"", value_format)) for record in records]
    envelopes = Counter(envelope_of(each) for _, each in found if isinstance(each, dict))
    envelope = envelopes.most_common(1)[0][0] if envelopes else ""
    data = [_data(record, each, value_format) for record, each in found if isinstance(each, dict)]
    values = field_values([each for each, _ in data if isinstance(each, dict)])
    text = text_places(values)
    if not text and sum(isinstance(each, str) for each, _ in data) * 2 > len(data):
        options |= {"--text-field": "value"} | label_outside(records, "label")
        return Recognition(f"JSON objects{envelope} whose data are text", options)
    if not text:
        return Recognition(
            f"JSON objects{envelope} without a text (fields: {', '.join(list(values)[:12])})",
            {},
            "name the text with --text-field",
        )
    if text != ["text"]:
        options["--text-field"] = ",".join(map(named, text))
    label = label_place(values, text)
    if label is None:
        options |= label_outside(records, "label")
    elif label != "label":
        options["--label-field"] = named(label)
    if not any(is_event for _, is_event in data):
        options |= id_options(records, {name: values[name] for name in values if name not in text})
    time = time_place(values)
    if time is not None and time != "time":
        options["--time-field"] = named(time)
    shown = ", ".join(list(values)[:12])
    described = description or f"JSON objects{envelope}"
    return Recognition(f"{described} with the fields {shown}", options)


def _data(record: KafkaRecord, value: Any, value_format: ValueFormat) -> tuple[Any, bool]:
    """Return the data of a value, and whether the value is a CloudEvent around them."""
    try:
        event = cloudevents.structured(value, dict(record.headers), value_format)
    except DecodeError:
        return None, True
    if event is None:
        return value, False
    data = event.data
    return (parsed(data) or data if isinstance(data, str) else data), True
