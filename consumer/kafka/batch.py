"""What a read of Kafka brings: documents, labels, dead letters, and the positions they end at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from newsreel.events.cloudevents import Headers
from newsreel.events.document import Document
from newsreel.events.errors import Reason
from newsreel.events.label import Label


class Origin(NamedTuple):
    """Where in the topic a document comes from."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """A label that has come by itself, ``after`` so many documents of its batch.

    ``written`` is when its record was, in seconds since 1970, None where that is not said.
    """

    label: Label
    after: int
    written: float | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can't be used, where it was, and why."""

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
    """Documents in the order of the stream; none where nothing came for a while.

    ``origins`` are where each document comes from, ``written`` when its record was, in seconds
    since 1970, or None where its producer does not say. ``positions`` are the next offsets to read
    after the batch, ``lag`` the records that wait there, and ``reached`` when the last record
    before was written, all by partition. ``labels`` are those that have come by themselves,
    ``label_positions`` where their topic goes on, and ``label_lag`` how many wait there. ``last``
    says that the stream is over.
    """

    documents: Sequence[Document]
    origins: Sequence[Origin]
    written: Sequence[float | None]
    dead_letters: Sequence[DeadLetter]
    positions: Mapping[int, int]
    lag: Mapping[int, int]
    reached: Mapping[int, float]
    labels: Sequence[LabelRecord] = ()
    label_positions: Mapping[int, int] = field(default_factory=dict)
    label_lag: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class LabelTopic:
    """The topic of labels that come by themselves; its name is empty where none do.

    ``positions`` are where its partitions go on, and ``lag`` says how many records wait behind
    some, by partition.
    """

    topic: str = ""
    positions: Mapping[int, int] = field(default_factory=dict)
    lag: Callable[[Mapping[int, int]], Mapping[int, int]] = lambda _: {}
