"""Read a Kafka record as a document, or as a label that arrives later than its document."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from consumer.records import cloudevents, fields
from consumer.records.config import RecordConfig
from consumer.records.content import read_content
from consumer.records.deletions import is_deleted_row, is_deletion
from consumer.records.formats import Json, ValueFormat, build_format
from consumer.records.label_names import LabelNames
from consumer.records.places import Place, Places, RecordContent, leaves, listed
from newsreel.events import label as label_event
from newsreel.events import times
from newsreel.events.cloudevents import MAX_ID_CHARACTERS
from newsreel.events.document import Document
from newsreel.events.errors import DecodeError, Reason
from newsreel.events.label import Label
from newsreel.events.label_text import normalized
from newsreel.events.record import MAX_LABEL_CHARACTERS
from newsreel.events.scalars import whole

MAX_TEXT_CHARACTERS = 20_000
"""Characters kept of a text, about 4,000 tokens: this bounds the memory of the replay buffer."""


class KafkaRecord(Protocol):
    """A record as kafka-python returns it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes | None]]


class Ignored(StrEnum):
    """What of a record is left out without harm: a closed set, fit for a metric label."""

    TOMBSTONE = "tombstone"
    """The record itself: it has no value, or says that a row of a database was deleted."""
    TIME = "time"
    """The time of the document, which can't be understood."""


class Reading(NamedTuple):
    """What a record holds."""

    document: Document | None
    """None for a tombstone."""
    ignored: Ignored | None = None
    has_own_id: bool = True
    """Whether the record names its id; a key is an id only by chance."""
    source: str = ""
    """Source of the CloudEvent: its id is unique within the source only."""


class Reader(Protocol):
    """Reads documents and labels from records; implemented by `RecordReader` and `Screening`."""

    def read(self, record: KafkaRecord) -> Reading:
        """Return the document of a record."""
        ...

    def read_label(self, record: KafkaRecord) -> Label | None:
        """Return the label of a record of the topic of labels; None if it has none on purpose."""
        ...


class RecordReader:
    """Reads documents and labels from records.

    Parameters
    ----------
    places
        Where the parts of a document are.
    value_format
        Format of the value.
    label_names
        Names of the labels.
    strict
        Whether a field that no place names is refused.
    """

    def __init__(
        self,
        places: Places,
        value_format: ValueFormat,
        label_names: LabelNames,
        *,
        strict: bool = False,
    ) -> None:
        self._places = places
        self._format = value_format
        self._label_names = label_names
        self._strict = strict

    @classmethod
    def build(cls, config: RecordConfig) -> "RecordReader":
        """Build a reader from options.

        Raises
        ------
        PlaceError, LabelMapError, MissingExtraError, RegistryError
        """
        return cls(
            Places.of(config),
            build_format(config.format, config.registry),
            LabelNames.read(config.label_map),
            strict=config.strict,
        )

    def read(self, record: KafkaRecord) -> Reading:
        """Return the document of a record.

        Raises
        ------
        DecodeError
            The record has no usable text, label or id; the error has a `Reason`.
        RegistryError
            The schema registry does not answer.
        """
        if record.value is None:
            return Reading(None, Ignored.TOMBSTONE)
        event, content = read_content(record.value, record.key, record.headers, self._format)
        if is_deleted_row(content.value) or is_deletion(content.envelope):
            return Reading(None, Ignored.TOMBSTONE)
        if self._strict:
            self._refuse_unknown_fields(content.value)
        text = self._text(content)
        if text is None:
            raise _no_text(self._places.text, content)
        if not text.strip():
            raise DecodeError(Reason.EMPTY_TEXT, "text: it is empty")
        label = self._label(self._places.label, content)
        id_, has_own_id = self._id(record, event, content)
        found = self._places.time.find(content)
        time = None if found is None else times.parse(found)
        ignored = Ignored.TIME if found is not None and time is None else None
        document = Document(id_, text[:MAX_TEXT_CHARACTERS], label, time)
        source = "" if self._places.id else event.source or ""
        return Reading(document, ignored, has_own_id, source)

    def read_label(self, record: KafkaRecord) -> Label | None:
        """Return the label of a record of the topic of labels.

        None for a tombstone, and for a label that the file of names drops. The id of the document
        is the key, the ``ce_id`` of newsreel's own events, or at the place of the id. The value is
        in the format of the documents, or the JSON that newsreel writes.

        Raises
        ------
        DecodeError
            The record has no label or no id.
        RegistryError
            The schema registry does not answer.
        """
        if record.value is None:
            return None
        value_format = Json() if record.value.lstrip()[:1] == b"{" else self._format
        event, content = read_content(record.value, record.key, record.headers, value_format)
        places = [self._places.label, Place.parse("label")]
        if self._places.label.kind == "key":  # which is the id here
            del places[0]
        place = next((each for each in places if normalized(_label(each, content))), None)
        if place is None:
            raise DecodeError(
                Reason.WRONG_SHAPE,
                f"label: the record has no {self._places.label.name!r} (there are:"
                f" {_fields(content)})",
            )
        label = self._label(place, content)
        if label is None:
            return None
        id_place = self._places.id
        found = None if id_place is None else id_place.find(content)
        if id_place is not None and found is not None:
            id_: str | None = fields.document_id(found, id_place)
        elif event.type == label_event.CE_TYPE and event.id:
            id_ = event.id
        else:
            id_ = fields.key_as_id(record.key)
        if id_ is None:
            raise DecodeError(
                Reason.BAD_ID,
                "key: a label needs the id of its document, as its key or where --id-field says",
            )
        time = times.parse(self._places.time.find(content))
        return Label(id_, label, time)

    def _refuse_unknown_fields(self, data: object) -> None:
        for field in data if isinstance(data, dict) else ():
            if not any(place.covers(field) for place in self._places.all):
                known = listed([place.name for place in self._places.all])
                raise DecodeError(
                    Reason.WRONG_SHAPE,
                    f"{field[:80]}: unknown field, and --strict-fields is set (known are {known})",
                )

    def _text(self, content: RecordContent) -> str | None:
        places = self._places.text
        parts = [fields.text(place.find(content), place) for place in places]
        found = [part for part in parts if part is not None]
        if len(places) == 1 or not found:
            return found[0] if found else None
        return "\n\n".join(part for part in found if part.strip())

    def _label(self, place: Place, content: RecordContent) -> str | None:
        label = fields.label(place.find(content), place)
        name = None if label is None else self._label_names.of(label)
        if name is not None and len(name) > MAX_LABEL_CHARACTERS:
            raise DecodeError(
                Reason.LABEL_LENGTH,
                f"label: {len(name)} characters, at most {MAX_LABEL_CHARACTERS} are allowed",
            )
        return name

    def _id(
        self, record: KafkaRecord, event: cloudevents.Event, content: RecordContent
    ) -> tuple[str, bool]:
        """Return the id of a document, and whether the record names the id as such."""
        places = self._places
        if places.id is not None:
            return fields.document_id(places.id.find(content), places.id), True
        if not places.position_is_id:
            if event.id and len(event.id) <= MAX_ID_CHARACTERS:
                return whole(event.id), True
            is_free = all(place.kind != "key" for place in (*places.text, places.label))
            if is_free and (id_ := fields.key_as_id(record.key)):
                return id_, False
        return f"{record.topic}/{record.partition}/{record.offset}", True


def _label(place: Place, content: RecordContent) -> str:
    return fields.label(place.find(content), place) or ""


def _no_text(places: Sequence[Place], content: RecordContent) -> DecodeError:
    names = " nor ".join(repr(place.name) for place in places)
    if isinstance(content.value, dict):
        advice = f"there are: {_fields(content)}; name the text with --text-field"
    else:
        advice = f"the value is {fields.kind(content.value)}; see --text-field and --format"
    return DecodeError(Reason.WRONG_SHAPE, f"text: the record has no {names} ({advice})")


def _fields(content: RecordContent) -> str:
    return listed([path for path, _ in leaves(content.value)])
