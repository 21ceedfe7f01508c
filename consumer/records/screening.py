"""Recognize a topic of which no record can be used, before all of it is copied to dead letters."""

from consumer.records.config import RecordConfig
from consumer.records.findings import Findings
from consumer.records.reader import KafkaRecord, Reader, Reading
from newsreel.common.errors import UserError
from newsreel.events.errors import DecodeError
from newsreel.events.label import Label

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
    """

    def __init__(self, reader: Reader, topic: str, config: RecordConfig) -> None:
        self._reader = reader
        self._topic = topic
        self._config = config
        self._usable = False
        self._sample: list[KafkaRecord] = []
        self._count = 0

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

    def _refuse(self, record: KafkaRecord, error: DecodeError) -> None:
        if self._usable:
            return
        self._count += 1
        if len(self._sample) < SAMPLED:
            self._sample.append(record)
        if self._count < SCREENED:
            return
        found = Findings(self._topic, self._sample, self._config, {})
        raise UnusableTopicError(
            f"none of the first {SCREENED} records of topic {self._topic!r} can be used (the last"
            f" one: {error}). The next run begins where this group has committed; to leave these"
            " records out, name a new --group, and a time with --from. To see more: python -m"
            f" consumer inspect --topic {self._topic}. They are {found.description}: {found.advice}"
        )
