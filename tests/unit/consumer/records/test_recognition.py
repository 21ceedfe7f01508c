"""What records are, and the options with which every one of them is read."""

import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka_records import KafkaRecord, record, records

from consumer.records.config import RecordConfig
from consumer.records.findings import Findings
from consumer.records.reader import Reading, RecordReader
from consumer.records.recognition import command_line, recognize
from consumer.settings import Settings
from newsreel.common import cli

COUNT = 30

LABELS = ("cards", "apps", "bugs")

TEXTS = [
    f"the {('app', 'card', 'order')[n % 3]} of customer {n} does not work since monday"
    for n in range(COUNT)
]


def label(number: int) -> str:
    return LABELS[number % 3]


def objects(make: Callable[[int], Any]) -> list[KafkaRecord]:
    return records(make(number) for number in range(COUNT))


def plain(make: Callable[[int], KafkaRecord]) -> list[KafkaRecord]:
    return [make(number)._replace(offset=number) for number in range(COUNT)]


def suggested(found: Sequence[KafkaRecord]) -> tuple[dict[str, str], list[Reading]]:
    """Return the options that inspect prints, and what they read, as the consumer takes them."""
    last = list(Findings("t", found, RecordConfig(), {}).lines())[-1]
    assert last.startswith("python -m consumer --topic t"), last
    words = shlex.split(last)[5:]
    settings = cli.parse(Settings, words)
    reader = RecordReader.build(settings.records)
    options = dict(zip(words[::2], words[1::2], strict=True))
    return options, [reader.read(each) for each in found]


ROW = {"id": 7, "body": TEXTS[0], "queue": 3}

SHAPES: dict[str, tuple[list[KafkaRecord], dict[str, str]]] = {
    "own": (objects(lambda n: {"text": TEXTS[n], "label": label(n), "customer": n % 4}), {}),
    "tickets": (
        objects(
            lambda n: {
                "ticket": {"subject": f"order {n} again", "body": TEXTS[n]},
                "queue": n % 3,
                "created": "2026-01-05 12:00",
            }
        ),
        {
            "--text-field": "ticket.subject,ticket.body",
            "--label-field": "queue",
            "--time-field": "created",
        },
    ),
    "debezium": (
        objects(
            lambda n: {
                "schema": {"type": "struct"},
                "payload": {
                    "before": None,
                    "after": {"id": n, "body": TEXTS[n], "queue": n % 3},
                    "source": {"db": "desk"},
                    "op": "c",
                    "ts_ms": 1_767_614_400_000 + n,
                },
            }
        ),
        {
            "--text-field": "payload.after.body",
            "--label-field": "payload.after.queue",
            "--id-field": "payload.after.id",
        },
    ),
    "debezium of MongoDB": (
        objects(
            lambda n: {
                "after": json.dumps({"_id": {"$oid": f"{n}"}, "body": TEXTS[n], "tag": label(n)}),
                "op": "r",
                "source": {"db": "desk"},
            }
        ),
        {"--text-field": "after.body", "--label-field": "after.tag"},
    ),
    "connect": (
        objects(lambda n: {"schema": {}, "payload": {"text": TEXTS[n], "label": label(n)}}),
        {"--text-field": "payload.text", "--label-field": "payload.label"},
    ),
    "connect of strings": (
        plain(
            lambda n: record({"schema": {"type": "string"}, "payload": TEXTS[n]}, label(n).encode())
        ),
        {"--text-field": "payload", "--label-field": "key", "--id-field": "none"},
    ),
    "event in structured mode": (
        objects(
            lambda n: {
                "specversion": "1.0",
                "id": f"e{n}",
                "source": "/desk",
                "type": "com.example.created",
                "data": {"message": TEXTS[n], "intent": label(n)},
            }
        ),
        {"--text-field": "message", "--label-field": "intent"},
    ),
    "event whose data are text": (
        objects(
            lambda n: {
                "specversion": "1.0",
                "id": f"e{n}",
                "source": "/desk",
                "type": "com.example.created",
                "data": TEXTS[n],
            }
        ),
        {"--text-field": "value"},
    ),
    "event in binary mode": (
        plain(
            lambda n: record(
                {"message": TEXTS[n], "intent": label(n)},
                b"customer",
                ce_id=b"e%d" % n,
                ce_type=b"x",
            )
        ),
        {"--text-field": "message", "--label-field": "intent"},
    ),
    "registry": (
        plain(
            lambda n: KafkaRecord(
                b"\0\0\0\0\x07" + json.dumps({"text": TEXTS[n], "label": label(n)}).encode()
            )
        ),
        {"--format": "json-registry"},
    ),
    "console, label in a header": (
        plain(
            lambda n: KafkaRecord(
                TEXTS[n].encode(),
                b"c%d" % (n % 4),
                [("type", b"ticket"), ("trace", b"%d" % n), ("queue", label(n).encode())],
            )
        ),
        {"--format": "text", "--label-field": "header:queue", "--id-field": "none"},
    ),
    "console, label in the key": (
        plain(lambda n: KafkaRecord(TEXTS[n].encode(), label(n).encode())),
        {"--format": "text", "--label-field": "key"},
    ),
    "console, no label": (plain(lambda n: KafkaRecord(TEXTS[n].encode())), {"--format": "text"}),
    "strings of JSON": (
        plain(lambda n: record(TEXTS[n], None, label=label(n).encode())),
        {"--text-field": "value", "--label-field": "header:label"},
    ),
    "XML": (
        plain(lambda n: KafkaRecord(f"<t>{TEXTS[n]}</t>".encode(), label(n).encode())),
        {"--format": "text", "--label-field": "key"},
    ),
    "reviews": (
        objects(lambda n: {"reviewText": TEXTS[n], "stars": n % 5 + 1, "verified": True}),
        {"--text-field": "reviewText", "--label-field": "stars"},
    ),
    "lists of one label": (
        objects(lambda n: {"text": TEXTS[n], "labels": [label(n)]}),
        {"--label-field": "labels.0"},
    ),
    "short texts": (
        objects(lambda n: {"q": ("hi", "ok", "bye")[n % 3], "intent": label(n)}),
        {"--text-field": "q", "--label-field": "intent"},
    ),
    "fields named key and value": (
        objects(lambda n: {"key": label(n), "value": TEXTS[n]}),
        {"--text-field": ".value", "--label-field": ".key"},
    ),
    "Japanese": (
        objects(lambda n: {"本文": f"お問い合わせの件についてご連絡します{n}", "分類": label(n)}),
        {"--text-field": "本文", "--label-field": "分類"},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: str) -> None:
    """The options that are printed are those that read every record, with its label."""
    found, options = SHAPES[shape]
    given, readings = suggested(found)
    given = {
        name: value for name, value in given.items() if name in options or name != "--id-field"
    }
    assert given == options
    documents = [reading.document for reading in readings if reading.document is not None]
    assert len(documents) == COUNT
    if "--label-field" in options or "--text-field" not in options:
        assert len({each.label for each in documents}) in {1, 3, 5}
    assert len({each.id for each in documents}) == COUNT or shape == "own"


@pytest.mark.parametrize(
    ("values", "description", "advice"),
    [
        ([None, b""], "records without values", "there is nothing to read"),
        ([b"\x1f\x8b\x08"], "compressed with gzip", "compression.type"),
        ([b"\0\0\0\0\7\2a"], "the five bytes of a schema registry (schema 7)", "--format avro"),
        ([b"\x0a\x05hello"], "bytes of an unknown format, such as 0a 05", "publish the text"),
        ([b"\xe9t\xe9"], "bytes of an unknown format, such as e9 74 e9", "text in UTF-8"),
        ([b'[{"text": "a"}]'], "JSON lists, such as", "one document a record"),
        ([b'{"a": 1, "b": 2}'], "JSON objects without a text (fields: a, b)", "--text-field"),
        (
            [b'{"schema": {}, "payload": {"a": 1}}'],
            "in the envelope of Kafka Connect (schema and payload)",
            "--text-field",
        ),
    ],
)
def test_unreadable(values: list[bytes | None], description: str, advice: str) -> None:
    """Where no options help, the advice says what does."""
    found = recognize([KafkaRecord(value) for value in values])
    assert description in found.description
    assert advice in found.problem
    assert found.options == {}


def test_events_that_cannot_be_decoded() -> None:
    """A batch of events, or data that are not base64, end no recognition."""
    event = {"specversion": "1.0", "id": "7", "source": "/", "type": "x", "data_base64": "!"}
    batch = record({"a": "b"}, **{"content-type": b"application/cloudevents-batch+json"})
    for each in (record(event), batch):
        assert "without a text" in recognize([each] * 3).description


def test_command_line() -> None:
    """Options are quoted as a shell needs it."""
    assert command_line({"--text-field": "a b", "--topic": "t"}) == "--text-field 'a b' --topic t"


FIELD_NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Cf", "Zl", "Zp"]),
    min_size=1,
    max_size=12,
).filter(
    lambda name: (
        name == name.rstrip() and "," not in name and name.strip(".") and name.isprintable()
    )
)

WORDS = {
    "Latin": ["the", "order", "is", "late", "again", "app", "crashes", "since", "monday"],
    "Cyrillic": ["заказ", "опять", "не", "пришёл", "карта", "заблокирована", "вчера"],
    "Arabic": ["الطلب", "لم", "يصل", "بعد", "البطاقة", "محظورة", "أمس"],
    "Korean": ["주문이", "아직", "오지", "않았습니다", "카드가", "차단되었습니다"],
}


@st.composite
def topics_of_objects(draw: st.DrawFn) -> list[KafkaRecord]:
    """Draw records with a text and a label at any path, of any name, in some language."""
    names = draw(st.lists(FIELD_NAMES, min_size=4, max_size=4, unique=True))
    envelope = draw(st.sampled_from(["", "payload", "data.attributes", "after"]))
    words = WORDS[draw(st.sampled_from(sorted(WORDS)))]
    random = draw(st.randoms(use_true_random=False))
    labels = draw(st.sampled_from([["a", "b"], [1, 2, 3], [True, False], ["кот", "пёс"]]))

    def value(number: int) -> Any:
        text = " ".join(random.choices(words, k=7))
        inner: Any = {
            names[0]: f"{text} {number}",
            names[1]: labels[number % len(labels)],
            names[2]: number * 1.25,
            names[3]: None,
        }
        for name in reversed(envelope.split(".") if envelope else []):
            inner = {name: inner}
        return inner

    return records(value(number) for number in range(12))


@given(topics_of_objects())
def test_any_shape(found: list[KafkaRecord]) -> None:
    """Whatever fields are called, the options that are printed read every record."""
    _, readings = suggested(found)
    assert all(reading.document is not None for reading in readings)


@given(st.lists(st.none() | st.binary(max_size=40) | st.text(max_size=20).map(str.encode)))
def test_anything(values: list[bytes | None]) -> None:
    """Any records are recognized in one line, and reported."""
    found = [KafkaRecord(value, value, [("h", value)]) for value in values]
    assert len(recognize(found).description.splitlines()) <= 1
    for line in Findings("t", found, RecordConfig(), {}).lines():
        assert len(line.splitlines()) <= 1
