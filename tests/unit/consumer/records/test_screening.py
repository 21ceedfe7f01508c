"""A topic of which nothing can be used is given up after a hundred records."""

import pytest
from kafka_records import KafkaRecord, record
from structlog.testing import capture_logs

from consumer.records.config import RecordConfig
from consumer.records.reader import RecordReader
from consumer.records.screening import SCREENED, Screening, UnusableTopicError
from newsreel.events.errors import DecodeError

GOOD = record({"text": "a", "label": "b"})

ENVELOPED = record({"schema": {}, "payload": {"text": "the app crashes", "label": "x"}})


def screening() -> Screening:
    return Screening(RecordReader.build(RecordConfig()), "tickets", RecordConfig())


def refuse(screen: Screening, found: KafkaRecord, count: int) -> None:
    for _ in range(count):
        with pytest.raises(DecodeError):
            screen.read(found)


def test_unusable() -> None:
    """The hundredth unusable record ends the run with what they are, and the options."""
    screen = screening()
    refuse(screen, ENVELOPED, SCREENED - 1)
    with pytest.raises(UnusableTopicError) as error:
        screen.read(ENVELOPED)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert "none of the first 100 records of topic 'tickets' can be used" in message
    assert "in the envelope of Kafka Connect" in message
    assert message.endswith("start with --text-field payload.text --label-field payload.label")
    assert "python -m consumer inspect --topic tickets" in message


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (KafkaRecord(b"\x1f\x8b\x08"), "compressed with gzip"),
        (KafkaRecord(b"\0\0\0\0\x2a\2a"), "--format avro --schema-registry URL"),
        (KafkaRecord(b"\0\0\0\0\x2a{}"), "name the text with --text-field"),
        (KafkaRecord(b"the app crashes"), "start with --format text"),
        (record([{"text": "a"}]), "JSON lists"),
        (record({"a\nb": {"c\x1b[2J": 1}}), "without a text"),
    ],
)
def test_what_they_are(found: KafkaRecord, says: str) -> None:
    """The message says what the records are, in one line."""
    screen = screening()
    refuse(screen, found, SCREENED - 1)
    with pytest.raises(UnusableTopicError) as error:
        screen.read(found)
    assert says in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("found", "options", "says"),
    [
        (record({"text": "a b c", "label": ["x"]}), {}, "is a list"),
        (record({"text": "a b c", "kind": "x"}), {"id": "nr"}, "no 'nr'"),
        (record({"payload": {"text": "a b c"}}), {"label": "grp"}, "--label-field grp"),
    ],
)
def test_given_options(found: KafkaRecord, options: dict[str, str], says: str) -> None:
    """Options that were given are kept, and the message never advises what does not help."""
    config = RecordConfig(**options)
    screen = Screening(RecordReader.build(config), "tickets", config)
    refuse(screen, found, SCREENED - 1)
    with pytest.raises(UnusableTopicError) as error:
        screen.read(found)
    assert says in str(error.value)
    assert "the default options" not in str(error.value)


def test_one_usable_record() -> None:
    """After a usable record no number of unusable ones ends the run."""
    screen = screening()
    refuse(screen, ENVELOPED, SCREENED - 1)
    assert screen.read(GOOD).document is not None
    refuse(screen, ENVELOPED, 3 * SCREENED)


def test_tombstones_do_not_count() -> None:
    """Tombstones are neither usable nor unusable."""
    screen = screening()
    for _ in range(2 * SCREENED):
        assert screen.read(KafkaRecord(None)).document is None
    refuse(screen, ENVELOPED, SCREENED - 1)
    with pytest.raises(UnusableTopicError):
        screen.read(ENVELOPED)


def test_labels_are_not_screened() -> None:
    """Unusable labels of the topic of labels end nothing."""
    screen = screening()
    for _ in range(2 * SCREENED):
        with pytest.raises(DecodeError):
            screen.read_label(KafkaRecord(b"{"))
    assert screen.read_label(record({"label": "a"}, b"d1")) is not None


def test_end_of_a_run() -> None:
    """A run that could use none of its few records says at its end what they are."""
    screen = screening()
    refuse(screen, ENVELOPED, 3)
    with capture_logs() as log:
        screen.finish()
        screen.read(GOOD)
        screen.finish()
    (warning,) = log
    assert warning["event"].startswith("none of the 3 records that were read of topic 'tickets'")
    assert warning["event"].endswith("--label-field payload.label")


def test_topic_that_was_used_before() -> None:
    """A group that has used records of the topic is not screened."""
    config = RecordConfig()
    screen = Screening(RecordReader.build(config), "tickets", config, usable=True)
    refuse(screen, ENVELOPED, SCREENED + 1)
    with capture_logs() as log:
        screen.finish()
    assert log == []
