"""Recognize what the records of a topic are, and the options that read them."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumer.records import cloudevents, signatures, times
from consumer.records.fields import key_as_id, scalar
from consumer.records.formats import Json, RegistryError, RegistryJson, ValueFormat
from consumer.records.places import leaves
from consumer.records.reader import KafkaRecord
from newsreel.events.errors import DecodeError

TEXT_NAMES = (
    "text", "body", "message", "content", "description", "comment", "review", "post", "tweet",
    "question", "document", "sentence", "utterance", "query", "abstract", "article", "msg", "note",
    "texte", "inhalt", "nachricht", "mensaje", "summary",
)  # fmt: skip

TITLE_NAMES = ("subject", "title", "headline", "betreff", "titel", "asunto", "sujet")

LABEL_NAMES = (
    "label", "labels", "category", "class", "target", "sentiment", "intent", "topic", "queue",
    "tag", "type", "kind", "department", "priority", "rating", "stars", "score", "genre", "section",
    "group", "lang", "language", "kategorie", "categoria", "severity", "status",
)  # fmt: skip

TIME_NAMES = (
    "time", "timestamp", "created", "created_at", "date", "datetime", "ts", "published", "updated",
    "event_time", "occurred", "zeit", "datum",
)  # fmt: skip

YEARS = range(1971, 2100)
"""Years of times; numbers that are times of other years are other numbers."""

ID_NAMES = ("id", "uuid", "guid", "key", "uid", "_id", "number", "nr")

NO_DATA = frozenset({"schema", "before", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"})
"""Fields of the envelopes of Kafka Connect and Debezium that hold no data."""

FEW_WORDS = 3
"""Mean number of words below which the values of a field that repeat are no texts."""

LEAST_TEXT = 1.5
"""Least score, about a mean number of words, of a field that can be the text."""

ENOUGH = 10
"""Number of values from which on their repetition says something."""

MOST_LABELS_SHARE = 0.5
"""Largest share of different values among the values of a field that can be a label."""


@dataclass(slots=True)
class FieldValues:
    """The values that records have at one place."""

    values: list[Any] = field(default_factory=list)

    @property
    def strings(self) -> list[str]:
        """Values that are text."""
        return [value for value in self.values if isinstance(value, str) and value.strip()]

    @property
    def distinct(self) -> Counter[str]:
        """Scalar values as they would be labels, with their numbers."""
        found = (scalar(value) for value in self.values)
        return Counter(value for value in found if value)

    @property
    def mean_length(self) -> float:
        """Mean number of characters of the strings."""
        return sum(map(len, self.strings)) / max(1, len(self.strings))


@dataclass(frozen=True, slots=True)
class Recognition:
    """What records look like, and the options that read them."""

    description: str
    options: Mapping[str, str]
    """Values of options of the consumer; empty if the default options read the records."""
    problem: str = ""
    """Why no options read the records, and what to do instead; empty if some do."""

    @property
    def advice(self) -> str:
        """What to do, in one line."""
        return self.problem or f"start with {command_line(self.options) or 'the default options'}"


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
    try:
        for value in values:
            value.decode()
    except UnicodeDecodeError:
        return Recognition(
            f"bytes of an unknown format, such as {values[0][:16].hex(' ')}",
            {},
            "publish them as JSON, as text in UTF-8, or as Avro with a schema registry",
        )
    options = {"--format": "text"} | _label_outside(records, "header:label")
    return Recognition(f"text, such as {values[0].decode()[:60]!r}", options)


def _parse(value: bytes, value_format: ValueFormat) -> Any:
    try:
        return value_format.decode(value)
    except (DecodeError, RegistryError):
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
    objects: list[dict[str, Any]] = []
    events = 0
    envelopes: Counter[str] = Counter()
    for record in records:
        parsed = _parse(record.value or b"", value_format)
        if not isinstance(parsed, dict):
            continue
        envelopes[envelope_of(parsed)] += 1
        event = cloudevents.structured(parsed, dict(record.headers), value_format)
        data = parsed if event is None else event.data
        events += event is not None
        if isinstance(data, dict):
            objects.append(data)
    envelope = envelopes.most_common(1)[0][0] if envelopes else ""
    values = field_values(objects)
    text = text_places(values)
    if not text:
        return Recognition(
            f"JSON objects{envelope} without a text (fields: {', '.join(list(values)[:12])})",
            {},
            "name the text with --text-field",
        )
    if text != ["text"]:
        options["--text-field"] = ",".join(text)
    label = label_place(values, text)
    if label is None:
        options |= _label_outside(records, "label")
    elif label != "label":
        options["--label-field"] = label
    if not events:
        options |= id_options(records, values)
    time = time_place(values)
    if time is not None and time != "time":
        options["--time-field"] = time
    shown = ", ".join(list(values)[:12])
    described = description or f"JSON objects{envelope}"
    return Recognition(f"{described} with the fields {shown}", options)


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


def field_values(objects: Sequence[dict[str, Any]]) -> dict[str, FieldValues]:
    """Return the values of each field by its path; the schemas of envelopes are left out."""
    values: dict[str, FieldValues] = {}
    for each in objects:
        for path, value in _leaves_of_data(each):
            values.setdefault(path, FieldValues()).values.append(value)
    return values


def _leaves_of_data(value: dict[str, Any]) -> list[tuple[str, Any]]:
    enveloped = bool(envelope_of(value))
    found: list[tuple[str, Any]] = []
    for path, leaf in leaves(value):
        parts = path.split(".")
        if enveloped and NO_DATA & set(parts[:2]):
            continue
        if isinstance(leaf, str) and leaf.lstrip()[:1] == "{":
            try:
                inner = json.loads(leaf)
            except (ValueError, RecursionError):
                inner = None
            if isinstance(inner, dict):
                found += leaves(inner, path)
                continue
        found.append((path, leaf))
    return found


def text_places(values: dict[str, FieldValues]) -> list[str]:
    """Return the fields that hold the text: the one most like a text, after its title."""
    if "text" in values and values["text"].strings:
        return ["text"]
    best, best_score = None, 0.0
    for path, found in values.items():
        strings = found.strings
        if not strings or _looks_like_times(found) or _looks_like_ids(strings):
            continue
        words = sum(len(text.split()) for text in strings) / len(strings)
        score = min(words, 50) + (100 if _last(path) in TEXT_NAMES else 0)
        if len(found.distinct) <= max(1, len(strings) * 0.2) and _last(path) not in TEXT_NAMES:
            score = 0.0 if words < FEW_WORDS else score / 10
        if score > best_score:
            best, best_score = path, score
    if best is None or best_score < LEAST_TEXT:
        return []
    titles = [
        path
        for path, found in values.items()
        if path != best
        and found.strings
        and _last(path) in TITLE_NAMES
        and path.rpartition(".")[0] == best.rpartition(".")[0]
    ]
    return [*titles[:1], best]


def label_place(values: dict[str, FieldValues], text: Sequence[str]) -> str | None:
    """Return the field that is most like a label; None if none is."""
    best, best_score = None, 0.0
    for path, found in values.items():
        name = _last(path)
        if path in text or name in TEXT_NAMES + TITLE_NAMES:
            continue
        distinct, known = found.distinct, found.distinct.total()
        if known == 0 or any(isinstance(value, list | dict) for value in found.values):
            continue
        named = name in LABEL_NAMES
        if _looks_like_times(found) or (name in ID_NAMES and not named):
            continue
        if (
            known >= ENOUGH
            and len(distinct) > known * MOST_LABELS_SHARE
            and not (named and name[:5] == "label")
        ):
            continue
        score = 10.0 - LABEL_NAMES.index(name) * 0.2 if named else 1.0
        if known >= ENOUGH and len(distinct) == 1:
            score *= 0.05  # a constant
        score -= max((len(value) for value in distinct), default=0) / 100
        if score > best_score:
            best, best_score = path, score
    return best


def time_place(values: dict[str, FieldValues]) -> str | None:
    """Return the field that is most like the time of a document; None if none is."""
    found = [path for path, each in values.items() if _looks_like_times(each)]
    named = [path for path in found if _last(path) in TIME_NAMES]
    strings = [path for path in found if values[path].strings]
    order = sorted(named, key=lambda path: TIME_NAMES.index(_last(path)))
    return next(iter([*order, *strings]), None)


def id_options(records: Sequence[KafkaRecord], values: dict[str, FieldValues]) -> dict[str, str]:
    """Return the option of the id, where the key or the event's id is none."""
    if any(dict(record.headers).get("ce_id") for record in records):
        return {}
    keys = [key_as_id(record.key) for record in records]
    known = [key for key in keys if key is not None]
    if len(known) == len(keys) and len(set(known)) == len(keys):
        return {}
    for path, found in values.items():
        distinct = found.distinct
        if _last(path) in ID_NAMES and len(distinct) == len(records) == distinct.total():
            return {"--id-field": path}
    return {"--id-field": "none"} if len(set(known)) < len(known) else {}


def _label_outside(records: Sequence[KafkaRecord], default: str) -> dict[str, str]:
    """Return the option of a label that is in a header, or in the key."""
    headers: dict[str, Counter[str]] = {}
    for record in records:
        for name, content in record.headers:
            if content is not None and not name.startswith("ce_") and name != "content-type":
                headers.setdefault(name, Counter())[content.decode("utf-8", "replace")] += 1
    keys: Counter[str] = Counter()
    keys.update(key for record in records if (key := key_as_id(record.key)))
    candidates = {f"header:{name}": found for name, found in headers.items()} | {"key": keys}
    named = [place for place in candidates if _last(place.removeprefix("header:")) in LABEL_NAMES]
    repeating = [
        place
        for place, found in candidates.items()
        if 1 < len(found) <= found.total() * MOST_LABELS_SHARE
    ]
    place = next(iter([*named, *repeating]), None)
    return {} if place is None or place == default else {"--label-field": place}


def _last(path: str) -> str:
    name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", path.rpartition(".")[2])
    return name.strip("_ ").lower() or path.lower()


def _looks_like_times(found: FieldValues) -> bool:
    known = [value for value in found.values if value is not None and value != ""]
    recent = [time for value in known if (time := times.parse(value)) and time.year in YEARS]
    return bool(known) and len(recent) == len(known)


def _looks_like_ids(strings: Sequence[str]) -> bool:
    """Return whether all are one word that holds a digit, and all differ."""
    return len(set(strings)) == len(strings) > 1 and all(
        " " not in text.strip() and any(map(str.isdigit, text)) for text in strings
    )
