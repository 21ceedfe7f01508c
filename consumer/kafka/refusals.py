"""Remember what topics refuse, and choose the form of a record that its topic takes."""

import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kafka.errors import (
    CorruptRecordError,
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)

from consumer.kafka.forms import forms
from consumer.kafka.outbox import Outgoing
from newsreel.common.kafka_errors import explain

SIZE_ERRORS = (MessageSizeTooLargeError, RecordListTooLargeError)

REFUSALS = (
    *SIZE_ERRORS,
    InvalidRecordError,
    InvalidTimestampError,
    UnsupportedForMessageFormatError,
    PolicyViolationError,
    CorruptRecordError,  # also how brokers before Kafka 2.4 refuse a record without a key
)
"""Errors by which a broker refuses a record; all other errors are those of the broker."""

FORGET_SECONDS = 600.0
"""Seconds after which a topic is tried again as if it had refused nothing: it may have been
corrected meanwhile."""

EXHAUSTED = 5
"""Records refused in every form, with none accepted between them, until the topic is closed."""

NO_KEY = (
    "the topic takes no records without a key, as compacted topics do; set cleanup.policy of the"
    " topic to delete"
)


@dataclass(slots=True)
class TopicRefusals:
    """What one topic has refused, each record alone.

    Parameters
    ----------
    since
        Time of the first refusal, in seconds.
    """

    since: float
    reasons: set[str] = field(default_factory=set)
    """Words for the refusals, with what to change."""
    said: set[str] = field(default_factory=set)
    """Reasons that were logged."""
    without_key: bool = False
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Sizes of records that were too large, in bytes: as they are, and compressed."""
    others: set[int] = field(default_factory=set)
    """Hashes of records that were refused for another reason."""
    exhausted: int = 0
    """Records refused in every form since the topic last accepted one."""

    def refuses(self, record: Outgoing) -> bool:
        """Return whether the topic would refuse a record: this one, or one that is smaller, was."""
        if self.exhausted >= EXHAUSTED or (self.without_key and record.key is None):
            return True
        return hash_of(record) in self.others or self._too_large(record)

    def _too_large(self, record: Outgoing) -> bool:
        if not any(record.size >= plain for plain, _ in self.sizes):
            return False
        # The limit is one of compressed records, or not: the topic may have them as they are.
        size, compressed = sizes(record)
        return any(size >= plain and compressed >= packed for plain, packed in self.sizes)

    def learn(self, record: Outgoing, error: KafkaError) -> None:
        """Remember that a record was refused, and why."""
        if isinstance(error, SIZE_ERRORS):
            self.sizes.append(sizes(record))
        elif record.key is None:
            self.without_key = True
        else:
            self.others.add(hash_of(record))
        self.reasons.add(_words(record, error))


class Refusals:
    """What each topic has refused lately.

    Parameters
    ----------
    clock
        Monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._topics: dict[str, TopicRefusals] = {}

    def __getitem__(self, topic: str) -> TopicRefusals:
        """Return what a topic has refused; it has refused something."""
        return self._topics[topic]

    def forget(self) -> None:
        """Forget what was refused long ago."""
        oldest = self._clock() - FORGET_SECONDS
        self._topics = {
            name: topic for name, topic in self._topics.items() if topic.since >= oldest
        }

    def fit(self, record: Outgoing) -> Outgoing | None:
        """Return the first form of a record that its topic does not refuse; None without one."""
        topic = self._topics.get(record.topic)
        if topic is None:
            return record
        return next((form for form in forms(record) if not topic.refuses(form)), None)

    def learn(self, record: Outgoing, form: Outgoing, error: KafkaError) -> None:
        """Remember that the topic of a record has refused one of its forms."""
        topic = self._topics.setdefault(record.topic, TopicRefusals(self._clock()))
        topic.learn(form, error)
        if self.fit(record) is None:
            topic.exhausted += 1

    def learn_form(self, form: Outgoing) -> None:
        """Remember that a topic, which has refused others, refuses exactly this record."""
        self._topics[form.topic].others.add(hash_of(form))

    def close(self, name: str, error: KafkaError) -> None:
        """Send nothing to a topic for a while: no end of its refusals is in sight."""
        topic = self._topics.setdefault(name, TopicRefusals(self._clock()))
        topic.reasons.add(explain(error))
        topic.exhausted = EXHAUSTED

    def accepted(self, topics: Iterable[str]) -> None:
        """Note that topics have accepted records."""
        for name in topics:
            if name in self._topics:
                self._topics[name].exhausted = 0


def hash_of(record: Outgoing) -> int:
    """Return a hash of what is sent."""
    return hash((record.key, record.value, tuple(record.headers), tuple(record.about)))


def sizes(record: Outgoing) -> tuple[int, int]:
    """Return the approximate size of a record in bytes, as it is and compressed."""
    headers = [content for _, content in [*record.headers, *record.about]]
    whole = b"".join([record.key or b"", record.value or b"", *headers])
    return record.size, len(zlib.compress(whole))


def _words(record: Outgoing, error: KafkaError) -> str:
    if isinstance(error, SIZE_ERRORS):
        return explain(error)
    if "imestamp" in str(error):  # a batch of several records has a general error
        return explain(InvalidTimestampError())
    return NO_KEY if record.key is None else explain(error)
