"""Fields, headers and keys that are most like a text, a label, an id or a time."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from consumer.records.envelopes import leaves_of_data
from consumer.records.fields import key_as_id
from consumer.records.places import option_of
from consumer.records.reader import KafkaRecord
from newsreel.events import times
from newsreel.events.scalars import scalar

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

UNPARTED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese, which put no blanks between words."""

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


def field_values(objects: Sequence[dict[str, Any]]) -> dict[str, FieldValues]:
    """Return the values of each field that an option can name, by its path."""
    values: dict[str, FieldValues] = {}
    for each in objects:
        for path, value in leaves_of_data(each):
            if option_of(path) is not None:
                values.setdefault(path, FieldValues()).values.append(value)
    return dict(_first_of_list(path, found) for path, found in values.items())


def _first_of_list(path: str, found: FieldValues) -> tuple[str, FieldValues]:
    """Return a field, or the first item of its lists if none has more than one."""
    lists = [value for value in found.values if value is not None]
    if not lists or not all(isinstance(each, list) and len(each) <= 1 for each in lists):
        return path, found
    return f"{path}.0", FieldValues([each[0] if each else None for each in found.values])


def text_places(values: dict[str, FieldValues]) -> list[str]:
    """Return the fields that hold the text: the one most like a text, after its title."""
    most = max((len(found.values) for found in values.values()), default=0)
    if "text" in values and len(values["text"].strings) * 2 > most:
        return ["text"]
    best, best_score = None, 0.0
    for path, found in values.items():
        strings = found.strings
        if not strings or _looks_like_times(found) or _looks_like_ids(strings):
            continue
        if "," in path:  # separates places
            continue
        words = sum(map(_words, strings)) / len(strings)
        named = _rank(path, TEXT_NAMES) is not None
        score = min(words, 50) + (100 if named else 0)
        if len(found.distinct) <= max(1, len(strings) * 0.2) and not named:
            score = 0.0 if words < FEW_WORDS else score / 10
        if score > best_score:
            best, best_score = path, score
    if best is None or best_score < LEAST_TEXT:
        return _only_string(values)
    titles = [
        path
        for path, found in values.items()
        if path != best
        and found.strings
        and _name(path) in TITLE_NAMES
        and path.rpartition(".")[0] == best.rpartition(".")[0]
    ]
    return [*titles[:1], best]


def _only_string(values: dict[str, FieldValues]) -> list[str]:
    """Return the only field of strings that no name says to be something else."""
    found = [
        path
        for path, each in values.items()
        if each.strings
        and "," not in path
        and not _looks_like_times(each)
        and all(_rank(path, names) is None for names in (LABEL_NAMES, ID_NAMES, TIME_NAMES))
    ]
    return found if len(found) == 1 else []


def label_place(values: dict[str, FieldValues], text: Sequence[str]) -> str | None:
    """Return the field that is most like a label; None if none is."""
    best, best_score = None, 0.0
    for path, found in values.items():
        if path in text or _name(path) in TEXT_NAMES + TITLE_NAMES:
            continue
        distinct, known = found.distinct, found.distinct.total()
        if known == 0 or any(isinstance(value, list | dict) for value in found.values):
            continue
        rank = _rank(path, LABEL_NAMES)
        is_id = _rank(path, ID_NAMES) is not None and _name(path) != "key"
        if _looks_like_times(found) or (is_id and rank is None):
            continue
        if (
            known >= ENOUGH
            and len(distinct) > known * MOST_LABELS_SHARE
            and not _name(path).startswith("label")
        ):
            continue
        score = 1.0 if rank is None else 10.0 - 0.2 * rank
        if known >= ENOUGH and len(distinct) == 1:
            score *= 0.05  # a constant
        score -= max((len(value) for value in distinct), default=0) / 100
        if score > best_score:
            best, best_score = path, score
    return best


def time_place(values: dict[str, FieldValues]) -> str | None:
    """Return the field that is most like the time of a document; None if none is."""
    found = [path for path, each in values.items() if _looks_like_times(each)]
    ranks = {path: rank for path in found if (rank := _rank(path, TIME_NAMES)) is not None}
    strings = [path for path in found if values[path].strings]
    return next(iter([*sorted(ranks, key=lambda path: ranks[path]), *strings]), None)


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
        if _name(path) in ID_NAMES and len(distinct) == len(records) == distinct.total():
            return {"--id-field": named(path)}
    return {"--id-field": "none"} if len(set(known)) < len(known) else {}


def label_outside(records: Sequence[KafkaRecord], default: str) -> dict[str, str]:
    """Return the option of a label that is in a header, or in the key."""
    headers: dict[str, Counter[str]] = {}
    for record in records:
        for name, content in record.headers:
            if content is not None and not name.startswith("ce_") and name != "content-type":
                headers.setdefault(name, Counter())[content.decode("utf-8", "replace")] += 1
    keys: Counter[str] = Counter()
    keys.update(key for record in records if (key := key_as_id(record.key)))
    places = {f"header:{name}": found for name, found in headers.items()} | {"key": keys}
    ranks = {place: _rank(place.removeprefix("header:"), LABEL_NAMES) for place in places}
    varied = [place for place, found in places.items() if _repeats(found) and len(found) > 1]
    named_ = [place for place, rank in ranks.items() if rank is not None and place != "key"]
    order = sorted(named_, key=lambda place: (place not in varied, ranks[place] or 0))
    place = next((each for each in [*order, *varied] if each.isprintable()), None)
    return {} if place is None or place == default else {"--label-field": place}


def _repeats(found: Counter[str]) -> bool:
    return len(found) <= found.total() * MOST_LABELS_SHARE


def named(path: str) -> str:
    """Return the path of a field as an option names the field."""
    return option_of(path) or path


def _name(path: str) -> str:
    """Return the last name of a path in small letters, its words parted by underscores."""
    path = path.removesuffix(".0")
    name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", path.rpartition(".")[2])
    return name.strip("_- ").lower().replace("-", "_") or path.lower()


def _rank(path: str, names: Sequence[str]) -> int | None:
    """Return the rank of a field among names, by its name or the last word of its name."""
    name = _name(path)
    for candidate, last in ((name, 0), (name.rpartition("_")[2], len(names))):
        if candidate in names:
            return names.index(candidate) + last
    return None


def _words(text: str) -> float:
    """Return the number of words; of scripts that do not part them, about that."""
    return len(text.split()) + len(UNPARTED.findall(text)) / 2


def _looks_like_times(found: FieldValues) -> bool:
    known = [value for value in found.values if value is not None and value != ""]
    recent = [time for value in known if (time := times.parse(value)) and time.year in YEARS]
    return bool(known) and len(recent) == len(known)


def _looks_like_ids(strings: Sequence[str]) -> bool:
    """Return whether all are one word that holds a digit, and all differ."""
    return len(set(strings)) == len(strings) > 1 and all(
        " " not in text.strip() and any(map(str.isdigit, text)) and not UNPARTED.search(text)
        for text in strings
    )
