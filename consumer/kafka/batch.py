"""Define what one read of Kafka returns: documents, labels, dead letters and offsets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.kafka.label_order import ByTime, LabelOrder
from consumer.records.reader import Ignored
from newsreel.events.cloudevents import Headers
from newsreel.events.document import Document
from newsreel.events.errors import Reason
from newsreel.events.label import Label


class Origin(NamedTuple):
    """Place of a document in its topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """A label that arrived on the topic of labels."""

    label: Label

    after: int
    """Number of documents of the batch that come before the label."""

    written: float | None
    """Timestamp of its record, in seconds since 1970; None if the record has none."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is not usable: the record, its place, and the reason."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one read, in the order of the stream; a read that timed out has none."""

    documents: Sequence[Document]

    origins: Sequence[Origin]
    """Place of each document."""

    written: Sequence[float | None]
    """Timestamp of each document's record, in seconds since 1970; None if the record has none."""

    dead_letters: Sequence[DeadLetter]

    positions: Mapping[int, int]
    """Next offset to read after the batch, by partition."""

    lag: Mapping[int, int]
    """Number of records after those positions, by partition."""

    reached: Mapping[int, float]
    """Timestamp of the last record read, in seconds since 1970, by partition."""

    ignored: Mapping[Ignored, int] = field(default_factory=dict)
    """Number of tombstones, and of times that can't be understood."""

    labels: Sequence[LabelRecord] = ()
    """Labels that arrived on the topic of labels."""

    label_positions: Mapping[int, int] = field(default_factory=dict)
    """Next offset to read of the topic of labels, by partition."""

    label_lag: int = 0
    """Number of records after those positions."""

    last: bool = False
    """Whether the stream is over."""


@dataclass(frozen=True, slots=True)
class LabelTopic:
    """The topic of labels that arrive after their documents."""

    topic: str = ""
    """Name; empty when no such topic is read."""

    positions: Mapping[int, int] = field(default_factory=dict)
    """First offset to read, by partition."""

    lag: Callable[[Mapping[int, int]], Mapping[int, int]] = lambda _: {}
    """Returns the number of records after some positions, by partition."""

    order: LabelOrder = field(default_factory=ByTime)
    """Follows which documents and labels are read."""

    expects: Callable[[str], bool] = lambda _: False
    """Returns whether a label waits for the document of an id."""

    not_ready: Callable[[], str | None] = lambda: None
    """Returns why some labels can't arrive now, or None."""
