"""Send the records of a commit, each in a form that its topic takes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

import structlog
from kafka.errors import KafkaError

from consumer.kafka.outbox import Outgoing, flush, send
from consumer.kafka.refusals import REFUSALS, Refusals

FLUSH_BYTES = 1 << 20
"""Bytes sent before a flush: the client gives up records that wait longer than its timeout."""

FLUSH_SECONDS = 20.0
"""Seconds after which a flush has failed: longer than the client's own timeout, which does not hold
while a transaction waits for a topic that was deleted."""

NARROWING = 16
"""Groups in which records are sent one after the other to find those that were refused."""

FOUND_ONE_BY_ONE = 8
"""Refused records of a topic that are found one by one in a commit; then all that may have been
refused count as refused."""

MOST_REFUSALS = 100
"""Attempts of a commit that may end with a refusal; then topics that refuse get nothing more."""

Part = list[tuple[int, Outgoing]]
"""Records that are sent together: the number of each, and its form."""

log = structlog.get_logger()


class RefusalObserver(Protocol):
    """Counts records that their topics refuse."""

    def records_refused(self, changed: int, unpublished: int) -> None:
        """Count records that were sent in another form, and records that could not be sent."""
        ...


class RecordsRefusedError(Exception):
    """Topics refuse records of a commit.

    Parameters
    ----------
    errors
        Errors by the number of their record. The client gives the error of a refused record to
        others that it did not send then, too; so only a single error certainly is that of its
        record.
    """

    def __init__(self, errors: Mapping[int, KafkaError]) -> None:
        super().__init__(str(next(iter(errors.values()))))
        self.errors = errors


class Sending:
    """Sends the records of one commit, in as many attempts as it takes.

    A record that its topic refuses is sent in another form (`consumer.kafka.forms`), or not at all
    if the topic refuses every form. Only refused records change: where the client does not say
    which ones those are, the next attempt sends those in question in small groups, until a group
    has one record.

    Parameters
    ----------
    records
        Records in the order in which they are sent.
    refusals
        What was refused before.
    """

    def __init__(self, records: Sequence[Outgoing], refusals: Refusals) -> None:
        refusals.forget()
        self._records = records
        self._refusals = refusals
        self._delivered: dict[int, Outgoing] = {}
        self._group_sizes: dict[int, int] = {}
        self._found: Counter[str] = Counter()
        self._refused = 0

    @property
    def done(self) -> bool:
        """Whether all records are delivered."""
        return len(self._delivered) == len(self._records)

    def attempt(self, producer: Any) -> None:
        """Send all records, and wait until they are delivered.

        Raises
        ------
        RecordsRefusedError
            Topics refuse some of the records; `adapt` changes their form.
        KafkaError
            The broker is away, or refuses the transaction.
        """
        self._delivered.clear()
        self.go_on(producer)

    def go_on(self, producer: Any) -> None:
        """Send the records that no attempt has delivered: where no transaction is aborted."""
        for part in self._parts():
            self._send(producer, part)

    def adapt(self, error: Exception) -> bool:
        """Change the form of refused records; returns whether another attempt may succeed."""
        if not isinstance(error, RecordsRefusedError):
            return False
        self._refused += 1
        if self._refused > MOST_REFUSALS:
            for number, why in error.errors.items():
                self._refusals.close(self._records[number].topic, why)
            return True
        if len(error.errors) == 1:
            ((number, why),) = error.errors.items()
            self._learn(number, why)
            return True
        size = max(1, len(error.errors) // NARROWING)
        for number in error.errors:
            record = self._records[number]
            if self._found[record.topic] >= FOUND_ONE_BY_ONE:
                form = self._refusals.fit(record)
                if form is not None:
                    self._refusals.learn_form(form)
            else:
                self._group_sizes[number] = size
        return True

    def finish(self, observer: RefusalObserver) -> None:
        """Log and count what was refused, now that the rest is committed."""
        changed: Counter[str] = Counter()
        unpublished: Counter[str] = Counter()
        for number, record in enumerate(self._records):
            form = self._delivered.get(number)
            changed[record.topic] += form is not None and form is not record
            unpublished[record.topic] += form is None
        for name in sorted((+changed).keys() | (+unpublished).keys()):
            observer.records_refused(changed[name], unpublished[name])
            topic = self._refusals[name]
            if not topic.reasons <= topic.said:
                log.warning(
                    "the topic refuses records as they are",
                    topic=name,
                    sent_in_another_form=changed[name],
                    not_published=unpublished[name],
                    reason="; ".join(sorted(topic.reasons)),
                )
                topic.said |= topic.reasons

    def _learn(self, number: int, error: KafkaError) -> None:
        record = self._records[number]
        form = self._refusals.fit(record)
        if form is not None:
            self._refusals.learn(record, form, error)
            self._found[record.topic] += 1

    def _parts(self) -> Iterator[Part]:
        """Split the records into parts of about `FLUSH_BYTES`, or into the groups in question."""
        forms = (
            (number, form)
            for number, record in enumerate(self._records)
            if number not in self._delivered and (form := self._refusals.fit(record)) is not None
        )
        for most, alike in groupby(forms, lambda each: self._group_sizes.get(each[0])):
            part: Part = []
            size = 0
            for number, form in alike:
                part.append((number, form))
                size += form.size
                if size >= FLUSH_BYTES or len(part) == most:
                    yield part
                    part, size = [], 0
            if part:
                yield part

    def _send(self, producer: Any, part: Part) -> None:
        deliveries: list[tuple[int, Outgoing, Any]] = []
        refused: dict[int, KafkaError] = {}
        failure: KafkaError | None = None
        for number, form in part:
            try:
                deliveries.append((number, form, send(producer, form)))
            except REFUSALS as error:  # of the client itself: it knows that the record is too large
                refused[number] = error
                break
            except KafkaError as error:  # also after the refusal of a record before
                failure = error
                break
        flush(producer, FLUSH_SECONDS)
        errors = self._settle(deliveries)
        refused |= {
            number: error for number, error in errors.items() if isinstance(error, REFUSALS)
        }
        if refused:
            raise RecordsRefusedError(refused)
        failure = next(iter(errors.values()), failure)
        if failure is not None:
            raise failure
        self._refusals.accepted({form.topic for _, form in part})

    def _settle(self, deliveries: Sequence[tuple[int, Outgoing, Any]]) -> dict[int, KafkaError]:
        """Return the errors of deliveries by the number of their record."""
        errors: dict[int, KafkaError] = {}
        for number, form, delivery in deliveries:
            try:
                delivery.get(timeout=0.0)
            except KafkaError as error:
                errors[number] = error
            else:
                self._delivered[number] = form
        return errors
