"""Recognize a topic of which no record can be used, before all of it is copied to dead letters."""

import structlog

from consumer.records.config import RecordConfig
from consumer.records.findings import Findings
from consumer.records.reader import KafkaRecord, Reader, Reading
from newsreel.common.errors import UserError
from newsreel.events.errors import DecodeError
from newsreel.events.label import Label

log = structlog.get_logger()

SCREENED = 100
"""Number of records that must be unusable, without a usable one, to give up a topic."""

SAMPLED = 30
"""Number of them that are looked at to say what they are: each may hold 1 MiB."""


class UnusableTopicError(UserError):
    """No record of the topic can be used as the options say."""


class Screening:
    """Reads records, and gives up if none of the first 100 can be used.

    Parameters
    ----------
    reader
        Reader of the records.
    topic
        Name of the topic, for the message.
    config
        Options of the reader.
    usable
        Whether records of the topic were used before: then nothing is screened.
    """

    def __init__(
        self, reader: Reader, topic: str, config: RecordConfig, *, usable: bool = False
    ) -> None:
        self._reader = reader
        self._topic = topic
        self._config = config
        self._usable = usable
        self._sample: list[KafkaRecord] = []
        self._count = 0
        self._last: DecodeError | None = None

    def read(self, record: KafkaRecord) -> Reading:
        """Return the document of a record.

        Raises
        ------
        DecodeError, RegistryError
            As of the reader.
        UnusableTopicError
            The first hundred records are unusable.
        """
        try:
            reading = self._reader.read(record)
        except DecodeError as error:
            self._refuse(record, error)
            raise
        if reading.document is not None:
            self._usable, self._sample = True, []
        return reading

    def read_label(self, record: KafkaRecord) -> Label | None:
        """Return the label of a record of the topic of labels."""
        return self._reader.read_label(record)

    def finish(self) -> None:
        """Warn at the end of a run that could use none of its records."""
        if self._count and not self._usable:
            log.warning(self._describe(f"none of the {self._count} records that were read"))

    def _refuse(self, record: KafkaRecord, error: DecodeError) -> None:
        if self._usable:
            return
        self._count += 1
        self._last = error
        if len(self._sample) < SAMPLED:
            self._sample.append(record)
        if self._count < SCREENED:
            return
        raise UnusableTopicError(self._describe(f"none of the first {SCREENED} records"))

    def _describe(self, records: str) -> str:
        found = Findings(self._topic, self._sample, self._config, {})
        return (
            f"{records} of topic {self._topic!r} can be used (the last one: {self._last}). The next"
            " run begins where this group has committed; to read all records again, name a new"
            " --group and another --checkpoint-dir, and to leave some out, a time with --from. To"
            f" see more: python -m consumer inspect --topic {self._topic}. They are"
            f" {found.description}: {found.advice}"
        )
