"""Corpora in files of the user."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsreel.events.document import Document
from producer.corpus import tables
from producer.corpus.tables import TableError


def read(
    path: Path,
    text_column: str = "text",
    label_column: str | None = None,
    id_column: str | None = None,
) -> list[Document]:
    return list(tables.read(path, text_column, label_column, id_column))


Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own.csv", 'text,label\n"one, two",a\nthree,\n'),
        ("own.tsv", "label\ttext\na\tone, two\n\tthree\n"),
        ("own.jsonl", '{"text": "one, two", "label": "a"}\n\n{"text": "three"}\n'),
        ("OWN.CSV", '\ufefftext,label\r\n"one, two",a\r\nthree,\r\n'),
    ],
)
def test_formats(table: Write, name: str, content: str | bytes) -> None:
    """Each format gives texts, optional labels, and ids of file name and row number."""
    path = table(name, content)
    assert read(path) == [
        Document(f"{name}:1", "one, two", "a"),
        Document(f"{name}:2", "three"),
    ]


def test_named_columns(table: Write) -> None:
    """The columns of text, label and id can have any name; other columns are ignored."""
    path = table("own.csv", "nr,body,class,label\n7,hello,greeting,ignored\n")
    assert read(path, "body", "class", "nr") == [Document("7", "hello", "greeting")]


def test_numbers_become_strings(table: Write) -> None:
    """Labels and ids that are numbers in JSON become strings."""
    path = table("own.jsonl", '{"text": "a", "label": 1, "id": 2}\n{"text": "b", "label": 0.5}\n')
    assert [document.label for document in read(path)] == ["1", "0.5"]
    assert next(tables.read(path, "text", None, "id")).id == "2"


def test_row_without_text(table: Write) -> None:
    """A row without a text yields a document with an empty text, which the publisher skips."""
    path = table("own.jsonl", '{"text": "a"}\n{"text": null}\n{"label": "b"}\n')
    assert [document.text for document in read(path)] == ["a", "", ""]


def test_long_cell(table: Write) -> None:
    """A cell may be longer than the default limit of the csv module."""
    path = table("own.csv", "text\n" + "x" * 200_000 + "\n")
    assert len(read(path)[0].text) == 200_000


def test_streams(table: Write) -> None:
    """Rows before a broken one are yielded: the file is not read as a whole."""
    path = table("own.jsonl", '{"text": "a"}\nbroken\n')
    assert next(tables.read(path, "text", None, None)).text == "a"


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("a.csv", "body,class\nx,y\n", {}, "no column 'text' (there are: ['body', 'class'])"),
        ("a.csv", "text\nx\n", {"label_column": "class"}, "name one of them with --label-column"),
        ("a.csv", "text\nx\n", {"id_column": "nr"}, "name one of them with --id-column"),
        ("a.jsonl", '{"body": "x"}\n', {}, "no column 'text' (there are: ['body'])"),
        ("a.csv", "text\nx\nx,y\n", {}, "line 3: more cells than columns"),
        ("a.csv", 'text\nx\n"y\n', {}, "line 3: unexpected end of data"),
        ("a.csv", b"text\nx\n\xff\n", {}, "line 3: byte 1 is not UTF-8"),
        ("a.jsonl", '{"text": "x"}\n{"text":\n', {}, "line 2: not JSON (Expecting value)"),
        ("a.jsonl", "[" * 100_000, {}, "line 1: not JSON"),
        ("a.jsonl", '["x"]\n', {}, "line 1: a list; each line must be one JSON object"),
        ("a.jsonl", "null\n", {}, "line 1: null; each line must be one JSON object"),
        ("a.jsonl", '"x"\n', {}, "line 1: a string; each line must be one JSON object"),
        ("a.jsonl", '{"text": 5}\n', {}, "line 1: 'text' is a number, not text"),
        ("a.jsonl", '{"text": true}\n', {}, "line 1: 'text' is true or false, not text"),
        ("a.jsonl", '{"text": {}}\n', {}, "line 1: 'text' is an object, not text"),
        ("a.jsonl", '{"text": "x", "label": []}\n', {}, "'label' is a list, not text or a number"),
        ("a.csv", "text,label\n", {}, "contains no documents"),
        ("a.jsonl", "\n\n", {}, "contains no documents"),
    ],
)
def test_mistakes(
    table: Write, name: str, content: str | bytes, columns: dict[str, str], message: str
) -> None:
    """The error about a mistake names the file, the line and the remedy."""
    path = table(name, content)
    with pytest.raises(TableError, match=re.escape(message)) as caught:
        read(path, **columns)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_columns(table: Write) -> None:
    """The error about a missing column shows only some of many columns."""
    path = table("a.csv", ",".join(f"column{number}" for number in range(1000)) + "\nx\n")
    with pytest.raises(TableError) as caught:
        read(path)
    assert len(str(caught.value)) < 1000


def test_unreadable(tmp_path: Path) -> None:
    """A file that can't be opened gives a one-line error."""
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match=r"folder\.csv can't be read: Is a directory"):
        read(tmp_path / "folder.csv")


rows = st.lists(st.tuples(st.text(), st.text(max_size=5)), min_size=1, max_size=20)


@given(rows=rows)
def test_json_lines_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    """Any text and label in JSON Lines is read unchanged."""
    path = tmp_path_factory.mktemp("tables") / "own.jsonl"
    path.write_text("".join(json.dumps({"text": t, "label": x}) + "\n" for t, x in rows))
    assert [(document.text, document.label or "") for document in read(path)] == rows


@given(rows=rows.filter(lambda rows: not any("\r" in t + x or "\0" in t + x for t, x in rows)))
def test_csv_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    """Any text and label in CSV is read unchanged, line breaks and quotes included."""
    path = tmp_path_factory.mktemp("tables") / "own.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
    assert [(document.text, document.label or "") for document in read(path)] == rows
