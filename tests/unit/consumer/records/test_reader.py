"""Records of any shape are read as documents and labels."""

import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka_records import KafkaRecord, document, reading, record, refused

from consumer.records.config import RecordConfig
from consumer.records.label_names import LabelNames
from consumer.records.places import PlaceError, Places
from consumer.records.reader import (
    MAX_TEXT_CHARACTERS,
    Ignored,
    RecordReader,
)
from newsreel.events import label as wire_label
from newsreel.events.document import Document, encode
from newsreel.events.errors import DecodeError, Reason
from newsreel.events.label import Label
from newsreel.events.label_text import normalized

POSITION = "t/0/7"

A = {"text": "a", "label": "b"}


@pytest.mark.parametrize(
    ("key", "id_"),
    [
        (b"k7", "k7"),
        (None, POSITION),
        (b"", POSITION),
        (b" ", POSITION),
        ((387).to_bytes(8, "big"), POSITION),
        ((387 + 7919 * 39).to_bytes(8, "big"), POSITION),
        (b"\0\0\0\0\x2ak7", POSITION),
        (b"\xff\xfe", POSITION),
    ],
)
def test_key(key: bytes | None, id_: str) -> None:
    """The key is the id if it is text; else the position is."""
    assert document(record(A, key)).id == id_


def test_id() -> None:
    """The id is at the place that is named, or the position, whatever the key is."""
    value = A | {"id": 7, "meta": {"uuid": "u7"}}
    assert document(record(value, b"k"), id="id").id == "7"
    assert document(record(value, b"k"), id="meta.uuid").id == "u7"
    assert document(record(value, b"k", number=b"9"), id="header:number").id == "9"
    assert document(record(value, b"k"), id="key").id == "k"
    assert document(record(value, b"k", ce_id=b"e"), id="none").id == POSITION
    message = refused(record(value, b"k"), Reason.BAD_ID, id="uuid")
    assert "the record has no 'uuid'; see --id-field, which may be none" in message


def test_unknown_fields() -> None:
    """Fields that no option names are ignored."""
    found = document(record({"text": "a", "label": "b", "id": 7, "x": {"y": [1]}}))
    assert (found.text, found.label) == ("a", "b")


@pytest.mark.parametrize(
    ("label", "read"),
    [
        *((3, "3"), (3.0, "3"), (1e2, "100"), (-0.0, "0"), (True, "true"), (0.25, "0.25")),
        *(("", None), (" ", None), (None, None), ("\u200b", None), (" billing ", "billing")),
        *(("cafe\u0301", "caf\u00e9"), ("x" * 256, "x" * 256), ("1.0", "1.0")),
    ],
)
def test_label(label: Any, read: str | None) -> None:
    """Labels are strings, numbers and truth values; null and blank ones are none."""
    assert document(record({"text": "a", "label": label})).label == read


def test_label_of_no_number() -> None:
    """NaN and Infinity, which Python writes as JSON, are no labels."""
    for label in (b"NaN", b"Infinity", b"-Infinity"):
        assert document(KafkaRecord(b'{"text":"a","label":%s}' % label)).label is None


def test_wrong_labels() -> None:
    """A label that can't be one is refused, and says what it is."""
    assert "is a list" in refused(record(A | {"label": ["a", "b"]}), Reason.WRONG_SHAPE)
    assert "is an object" in refused(record(A | {"label": {"id": 3}}), Reason.WRONG_SHAPE)
    assert "257 characters" in refused(record(A | {"label": "x" * 257}), Reason.LABEL_LENGTH)
    assert "at most 256" in refused(record(A | {"label": 10**400}), Reason.LABEL_LENGTH)


def test_label_in_a_header_or_the_key() -> None:
    """The label can be in a header or the key; the last of several headers counts."""
    found = KafkaRecord(b'{"text":"a"}', b"sport", [("queue", b"1"), ("queue", b" 3 ")])
    assert document(found, label="header:queue").label == "3"
    assert document(found, label="header:other").label is None
    read = document(found, label="key")
    assert (read.label, read.id) == ("sport", POSITION)
    bad = found._replace(key=b"\xff", headers=[("queue", b"\xff"), ("null", None)])
    refused(bad, Reason.BAD_HEADER, label="header:queue")
    refused(bad, Reason.BAD_ID, label="key")
    assert document(bad, label="header:null").label is None


def test_several_texts() -> None:
    """Several texts are joined by a blank line; those that are absent or blank are left out."""
    value: dict[str, Any] = {"subject": "late", "body": "where is it", "none": None, "blank": " "}
    for places, text in {
        "subject,body": "late\n\nwhere is it",
        " body , subject ": "where is it\n\nlate",
        "subject,none,blank,absent,body": "late\n\nwhere is it",
        "none,body": "where is it",
    }.items():
        assert document(record(value), text=places).text == text
    assert refused(record(value), Reason.EMPTY_TEXT, text="none,blank") == "text: it is empty"
    message = refused(record(value), Reason.WRONG_SHAPE, text="none,absent")
    assert "no 'none' nor 'absent' (there are: subject, body, none, blank;" in message


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        ({"a.b": "x"}, {"text": "a.b"}, "x"),
        ({"items": [{"t": "x"}]}, {"text": "items.0.t"}, "x"),
        ({"after": '{"t": "x"}'}, {"text": "after.t"}, "x"),
        ({"key": "x"}, {"text": ".key"}, "x"),
        ({"value": {"value": "x"}}, {"text": ".value.value"}, "x"),
        ("x", {"text": "value"}, "x"),
        ({"text": "great \ud83d"}, {}, "great \ufffd"),
        ({"text": "\ufeffx"}, {}, "\ufeffx"),
    ],
)
def test_text(value: Any, options: dict[str, str], text: str) -> None:
    """A text is found wherever its place is."""
    assert document(record(value), **options).text == text


@pytest.mark.parametrize(
    ("value", "options", "says"),
    [
        ({"body": "x"}, {}, "no 'text' (there are: body; name the text with --text-field)"),
        ({"text": 404}, {}, "'text' is a number (404), not a string"),
        ({"text": ["x"]}, {}, "'text' is a list, not a string"),
        ({"text": {"t": "x"}}, {}, "name a field inside it (there are: text.t)"),
        ([{"text": "x"}], {}, "the value is a list; see --text-field and --format"),
        ("x", {}, "the value is a string; see --text-field and --format"),
        (7, {}, "the value is a number (7)"),
        (
            {"schema": {}, "payload": {"text": "a", "label": "x"}},
            {},
            "payload.text, payload.label; name the text with --text-field",
        ),
    ],
)
def test_no_text(value: Any, options: dict[str, str], says: str) -> None:
    """A record without a text says what is there."""
    assert says in refused(record(value), Reason.WRONG_SHAPE, **options)


@pytest.mark.parametrize("text", ["", " ", "\n\u2003"])
def test_blank_text(text: str) -> None:
    """A blank text is refused."""
    refused(record({"text": text}), Reason.EMPTY_TEXT)


def test_long_text() -> None:
    """Of a long text the beginning is kept."""
    assert len(document(record({"text": "x" * 30_000})).text) == MAX_TEXT_CHARACTERS


@pytest.mark.parametrize(
    ("time", "read", "ignored"),
    [
        ("2026-01-05T12:00:00", 12, None),
        (1767614400000, 12, None),
        ({"$date": 1767614400000}, 12, None),
        (None, None, None),
        ("", None, Ignored.TIME),
        ("yesterday", None, Ignored.TIME),
        (True, None, Ignored.TIME),
    ],
)
def test_time(time: Any, read: int | None, ignored: Ignored | None) -> None:
    """A time without an offset is UTC; one that can't be understood is left out and counted."""
    found, what, *_ = reading(record(A | {"time": time}))
    assert found is not None
    assert found.time == (None if read is None else datetime(2026, 1, 5, read, tzinfo=UTC))
    assert what is ignored


def test_time_that_is_no_number() -> None:
    """NaN, which Python writes as JSON, is no time, and ends nothing."""
    for time in (b"NaN", b"Infinity", b"1e999"):
        assert reading(KafkaRecord(b'{"text":"a","time":%s}' % time)).ignored is Ignored.TIME


def test_strict_fields() -> None:
    """With strict fields a record with others is refused, on the level of the data."""
    options = {"text": "ticket.body", "label": "queue", "id": "nr", "strict": True}
    value = {"ticket": {"body": "a", "more": 1}, "queue": 3, "nr": 7, "time": None}
    assert document(record(value), **options).label == "3"
    message = refused(record(value | {"x\ny": 1}), Reason.WRONG_SHAPE, **options)
    assert message.startswith("x y: unknown field, and --strict-fields is set (known are ticket.")
    assert document(record({"key": "a"}), text=".key", strict=True).text == "a"
    refused(record({"key": "a", "text": "b"}), Reason.WRONG_SHAPE, text="key", strict=True)


def test_names_of_headers() -> None:
    """A header whose name is not UTF-8 is refused; a null header and one of bytes are not."""
    bad = record(A)._replace(headers=[("odd \udcff", b"x")])
    assert r"odd \\udcff" in refused(bad, Reason.BAD_HEADER)
    assert document(record(A)._replace(headers=[("x", None), ("y", b"\xff")])).label == "b"


def test_text_format() -> None:
    """With --format text the value is the text, and label and time are in headers."""
    found = KafkaRecord(
        b'{"text": "a"}', b"k", [("label", b"sport "), ("time", b"2026-01-05T12:00Z")]
    )
    read = document(found, format="text")
    assert read == Document("k", '{"text": "a"}', "sport", datetime(2026, 1, 5, 12, tzinfo=UTC))
    assert document(found, format="text", label="key") == Document(
        POSITION, read.text, "k", read.time
    )
    assert refused(found._replace(value=b" \n"), Reason.EMPTY_TEXT, format="text")


def test_wrong_places() -> None:
    """A place that is none is an error before anything is read."""
    for options in ({"text": "a,,b"}, {"text": ","}, {"label": " "}, {"time": "header:"}):
        with pytest.raises(PlaceError):
            Places.of(RecordConfig(**options))


# --- labels that arrive later -------------------------------------------------------------------


def late(found: KafkaRecord, **options: Any) -> Label | None:
    return RecordReader.build(RecordConfig(**options)).read_label(found)


def test_late_label() -> None:
    """A late label belongs to the document of its key, its event or its field."""
    assert late(record({"label": 3}, b"d1")) == Label("d1", "3")
    value = {"label": "cards", "doc": {"id": 7}, "time": "2026-01-05T12:00:00"}
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert late(record(value), id="doc.id") == Label("7", "cards", noon)
    assert late(record(value, b"d1"), id="absent") == Label("d1", "cards", noon)
    assert late(record({"queue": "cards"}, b"d1"), label="queue") == Label("d1", "cards")
    assert late(record({"label": "cards"}, b"d1"), label="queue") == Label("d1", "cards")
    assert late(KafkaRecord(None, b"d1")) is None


@pytest.mark.parametrize("format_", ["json", "text", "json-registry"])
def test_late_label_in_the_format_of_newsreel(format_: str) -> None:
    """The JSON that newsreel writes is read whatever the options of the documents are."""
    found = record({"label": "cards", "time": "2026-01-05T12:00:00Z"}, b"d1")
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    for options in (
        {},
        {"label": "key"},
        {"label": "header:queue"},
        {"label": "q", "strict": True},
    ):
        read = late(found, format=format_, **options)
        assert read is not None
        assert (read.id, read.label) == ("d1", "cards")
        assert format_ == "text" or read.time == noon


def test_late_label_of_the_wire() -> None:
    """A label that newsreel wrote is read back; other events' ids are no ids of documents."""
    label = Label("läufer/7", "sport", datetime(2026, 1, 5, 12, tzinfo=UTC))
    written = wire_label.encode(label, "tests")
    assert late(KafkaRecord(written.value, written.key, written.headers)) == label
    event = record({"label": "sport"}, b"d1", ce_id=b"e7", ce_type=b"com.example.labelled")
    assert late(event) == Label("d1", "sport")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (record({"label": "cards"}), Reason.BAD_ID),
        (record({"label": "cards"}, b"\0\0\0\7"), Reason.BAD_ID),
        (record({"text": "x"}, b"d1"), Reason.WRONG_SHAPE),
        (record({"label": " "}, b"d1"), Reason.WRONG_SHAPE),
        (record({"label": ["a"]}, b"d1"), Reason.WRONG_SHAPE),
        (record({"label": "x" * 257}, b"d1"), Reason.LABEL_LENGTH),
        (KafkaRecord(b"{", b"d1"), Reason.NOT_JSON),
    ],
)
def test_no_late_label(found: KafkaRecord, reason: Reason) -> None:
    """A record without a label, or without the id of a document, is refused."""
    with pytest.raises(DecodeError) as error:
        late(found)
    assert error.value.reason is reason


def test_late_label_that_the_map_drops() -> None:
    """A late label that the file of names drops is none, and no error."""
    config = RecordConfig()
    names = LabelNames({"test": None, "Cards": "cards"})
    reader = RecordReader(Places.of(config), RecordReader.build(config)._format, names)
    assert reader.read_label(record({"label": "test"}, b"d1")) is None
    assert reader.read_label(record({"label": "Cards"}, b"d1")) == Label("d1", "cards")


# --- any record ---------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["text", "label", "time", "key", "value", "header:h", "a", "a.b", "payload.after.text", "none"]
) | st.text(max_size=40)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800")

OBJECTS = st.dictionaries(
    st.sampled_from(["text", "label", "time", "payload", "after", "data", "op", "schema", "a"])
    | st.text(max_size=50),
    st.deferred(lambda: VALUES),
    max_size=12,
)

VALUES: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(VALUES, max_size=3) | OBJECTS
)

CONFIGS = st.builds(
    RecordConfig,
    format=st.sampled_from(["json", "text", "json-registry"]),
    text=st.none() | NAMES,
    label=st.none() | NAMES,
    id=st.none() | NAMES,
    time=st.none() | NAMES,
    strict=st.booleans(),
)

RECORDS = st.builds(
    KafkaRecord,
    st.none()
    | st.binary()
    | VALUES.map(lambda value: json.dumps(value).encode())
    | OBJECTS.map(lambda value: b"\0\0\0\0\1" + json.dumps(value).encode()),
    st.none() | st.binary() | st.text().map(str.encode),
    st.lists(
        st.tuples(
            st.sampled_from(["ce_id", "ce_type", "content-type", "h", "label"]) | st.text(),
            st.none()
            | st.binary()
            | st.sampled_from([b"application/cloudevents+json", b"application/cloudevents-batch"]),
        )
    ),
)


@given(CONFIGS, RECORDS)
@example(RecordConfig(text="x" * 5000), record({"a": 1}))
@example(RecordConfig(label="x" * 5000), record({"text": "a", "x" * 5000: {"b" * 5000: []}}))
@example(RecordConfig(strict=True), record({"text": "a", "x" * 5000: 1}))
@example(RecordConfig(), record({"text": "a"})._replace(headers=[("\udcff" * 500, b"")]))
@example(RecordConfig(), record({"\ud800": "a", "b": {"\ud83d": 1}}))
@example(RecordConfig(), record({f"\u2028\x1b[2J{n}" * 90: {"\n" * 90: 1} for n in range(30)}))
def test_anything(config: RecordConfig, found: KafkaRecord) -> None:
    """Any record is a document, a tombstone, or an error of one line and 500 characters."""
    try:
        reader = RecordReader.build(config)
    except PlaceError:
        return
    for read in (reader.read, reader.read_label):
        message = problem(read, found)
        assert len(message.splitlines()) <= 1
        assert len(message) <= 500
        assert "\x1b" not in message
        message.encode()


def problem(read: Callable[[KafkaRecord], object], found: KafkaRecord) -> str:
    try:
        read(found)
    except DecodeError as error:
        return str(error)
    return ""


OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds)))

TIMES = st.none() | st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001
    datetime(2999, 1, 1),  # noqa: DTZ001
    timezones=OFFSETS,
)


@given(
    st.builds(
        Document,
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
        st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=100),
        TIMES,
    )
)
def test_own_documents(written: Document) -> None:
    """A document in newsreel's own format is read back equal, with no options."""
    label = None if written.label is None else normalized(written.label) or None
    written = Document(written.id, written.text, label, written.time)
    if label is not None and len(label) > 256:
        return
    encoded = encode(written, "tests")
    read = document(KafkaRecord(encoded.value, encoded.key, encoded.headers))
    assert (read.id, read.text, read.label) == (written.id, written.text, written.label)
    assert read.time == written.time
    if read.label is not None:
        assert unicodedata.is_normalized("NFC", read.label)
    if read.time is not None:
        assert (read.time.utcoffset() or timedelta()) % timedelta(minutes=1) == timedelta()
