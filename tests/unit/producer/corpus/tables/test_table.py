"""Documents in files of the user."""

import bz2
import gzip
import json
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from structlog.testing import capture_logs

from newsreel.events.document import Document
from producer.corpus.tables.columns import ColumnNames
from producer.corpus.tables.rows import TableError
from producer.corpus.tables.table import Format, Table

Write = Callable[[str, str | bytes], Path]


def read(path: Path, columns: ColumnNames = ColumnNames(), **form: Any) -> list[Document]:  # noqa: B008
    return list(Table(path, columns, Format(**form)))


def pairs(path: Path, *columns: str | None, **form: Any) -> list[tuple[str, str | None]]:
    return [
        (document.text, document.label) for document in read(path, ColumnNames(*columns), **form)
    ]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


TWO = [("one, two", "a"), ("three", None)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own.csv", 'text,label\n"one, two",a\nthree,\n'),
        ("own.tsv", "label\ttext\na\tone, two\n\tthree\n"),
        ("own.jsonl", '{"text": "one, two", "label": "a"}\n\n{"text": "three"}\n'),
        ("own.ndjson", '{"text": "one, two", "label": "a"}\n{"text": "three", "label": " "}'),
        ("own.json", '[{"text": "one, two", "label": "a"},\n {"text": "three"}]'),
        ("own.json", '{"n": [1], "data": [{"text": "one, two", "label": "a"}, {"text": "three"}]}'),
        ("own.txt", '{"data": [\n{"text": "one, two", "label": "a"}, {"text": "three"}]}\n'),
        ("OWN.CSV", '\ufefftext,label\r\n"one, two",a\r\nthree,\r\n'),
        ("own.txt", "text;label\rone, two;a\rthree;\r"),
        ("own", "text|label\none, two|a\nthree|\n"),
        ("own.csv", "text\tlabel\none, two\ta\nthree\t\n"),
        ("own.csv", "sep=;\ntext;label\none, two;a\nthree;\n"),
        ("own.csv", "\n\ntext;label\r\none, two;a\nthree;\r"),
        ("own.csv", "# export of May\ntext;label\none, two;a\nthree;\n"),
        ("own.csv", "text;label;\none, two;a;\nthree;;\n"),
        ("own.csv", "text;label\none, two;a;\nthree;;\n"),
        ("own.csv", "text;label\none, two;a\nthree;NaN\n"),
        ("own.csv", "text||label\none, two||a\nthree||\n"),
        ("own.csv", "Text; Label\none, two; a \nthree; \n"),
    ],
)
def test_formats(table: Write, name: str, content: str) -> None:
    """Each format gives texts, optional labels, and ids of file name and row number."""
    assert read(table(name, content)) == [
        Document(f"{name}:{number}", text, label) for number, (text, label) in enumerate(TWO, 1)
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".zst", zstandard.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
    ],
)
def test_encodings_and_compressions(
    table: Write, encoding: str, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    """Encoding and compression are recognized by content, not by the name of the file."""
    content = "text,label\nschön groß und für,süß\nfine,ok\n".encode(encoding)
    expected = [("schön groß und für", "süß"), ("fine", "ok")]
    assert pairs(table("own.csv" + suffix, compress(content))) == expected
    assert pairs(table("own", compress(content))) == expected


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", "\u5473\u9053\u597d\uff0c\u670d\u52a1\u4e5f\u4e0d\u9519"),
        ("cp1251", "\u041e\u0447\u0435\u043d\u044c \u0445\u043e\u0440\u043e\u0448\u0438\u0439"),
        ("shift_jis", "\u3068\u3066\u3082\u826f\u3044\u5546\u54c1\u3067\u3059"),
    ],
)
def test_older_encodings(table: Write, encoding: str, text: str) -> None:
    """Encodings of other scripts are recognized as well."""
    path = table("own.tsv", f"text\tlabel\n{text}\tok\n".encode(encoding) * 20)
    assert pairs(path)[0] == (text, "ok")


@pytest.mark.parametrize(
    "text",
    ["Caf\u00e9 ol\u00e9", "na\u00efve", "\u201cgo\u201d \u2013 now", "\u00a3 5", "se\u00f1or"],
)
def test_a_few_letters_of_cp1252(table: Write, text: str) -> None:
    """A few letters with accents are those of cp1252, where nothing speaks for another encoding."""
    assert pairs(table("own.csv", f"text,label\n{text},a\n".encode("cp1252"))) == [(text, "a")]


def test_given_encoding(table: Write) -> None:
    """An encoding that the user gives is not doubted."""
    path = table("own.csv", "text,label\ncafé,a\n".encode("mac-roman"))
    assert pairs(path, encoding="mac-roman") == [("café", "a")]


def test_how_it_is_read_is_logged(table: Write) -> None:
    """One line says how the file is read, another one names a column that is spelled otherwise."""
    with capture_logs() as logs:
        read(table("own.txt", "Größe XL\tgut\nfür mich\tschlecht\nüber\tgut\n".encode("cp1252")))
        read(table("b1.csv", "text, label\nthe app crashes, bug\n"))
    assert [line["event"] for line in logs] == [
        "read as: tab, no quoting, no header, cp1252",
        "read as: comma, double quotes, header, utf-8",
        "column ' label' is taken for 'label'",
    ]
    assert logs[0]["text"] == "1"
    assert logs[0]["label"] == "2"


def test_named_columns(table: Write) -> None:
    """The columns of text, label and id can have any name; other columns are ignored."""
    path = table("own.csv", "nr,body,class,label\n7,hello,greeting,ignored\n")
    expected = [Document("7", "hello", "greeting")]
    assert read(path, ColumnNames("body", "class", "nr")) == expected
    assert read(path, ColumnNames("BODY", " Class", "nr")) == expected
    assert read(path, ColumnNames("2", "3", "1")) == expected


def test_several_text_columns(table: Write) -> None:
    """Texts of several columns are joined by a blank line; empty ones are left out."""
    path = table("own.csv", "subject,body,label\nhi,there,a\n,alone,b\n")
    assert pairs(path, "subject,body") == [("hi\n\nthere", "a"), ("alone", "b")]


def test_labels_of_json(table: Write) -> None:
    """Labels are written as JSON writes them; 1 and 1.0 are one, null and NaN are none."""
    labels = ["1", "1.0", "true", "0.5", "NaN", "null", '"nan"', '"None"', '" N/A "', '"x"', "1e3"]
    path = table("own.jsonl", "".join(f'{{"text": "a", "label": {label}}}\n' for label in labels))
    expected = ["1", "1", "true", "0.5", *[None] * 5, "x", "1000"]
    assert [document.label for document in read(path)] == expected


def test_labels_of_csv(table: Write) -> None:
    """Numeric labels of texts are one if their numbers are; missing ones are logged once."""
    with capture_logs() as logs:
        path = table("own.csv", "text,label\na,nan\nb,None\nc,1\nd,1.0\ne,NULL\nf,nan\n")
        assert [document.label for document in read(path)] == [None, None, "1", "1", None, None]
    assert logs[-1]["event"] == "some rows have no label"
    assert logs[-1]["written"] == {"nan": 2, "None": 1, "NULL": 1}
    path = table("own.csv", "text,label\na,1.0\nb,v2\n")
    assert [document.label for document in read(path)] == ["1.0", "v2"]


def test_spellings_of_labels(table: Write) -> None:
    """Labels are trimmed, and composed and decomposed characters are one."""
    path = table("own.csv", "text,label\na,caf\u00e9\nb,cafe\u0301\nc, caf\u00e9 \n")
    assert {document.label for document in read(path)} == {"caf\u00e9"}


def test_no_row_has_a_label(table: Write) -> None:
    """A column of labels that is empty is logged, and so is a file of one column."""
    with capture_logs() as logs:
        read(table("own.csv", "text,label\na,\nb, \n"))
        read(table("own.csv", "text\na\nb\n"))
    events = [line["event"] for line in logs]
    assert "no row has a label" in events
    assert "the file has one column: documents have no labels" in events


def test_no_labels_on_purpose(table: Write) -> None:
    """A file without labels is read if the user says so."""
    path = table("own.csv", "text,author\na,x\n")
    assert pairs(path, None, "none") == [("a", None)]


def test_ids(table: Write) -> None:
    """Ids that are numbers become strings; ids of row numbers count skipped rows."""
    path = table("own.jsonl", '{"text": "a", "id": 2}\n')
    assert read(path, ColumnNames("text", "none", "id"))[0].id == "2"
    rows = ['{"text": "a"}', "broken", *['{"text": "a"}'] * 150]
    documents = read(table("own.jsonl", "\n".join(rows)))
    assert [document.id for document in documents[:2]] == ["own.jsonl:1", "own.jsonl:3"]


def test_row_without_text(table: Write) -> None:
    """A row without a text yields a document with an empty text, which the publisher skips."""
    path = table("own.jsonl", '{"text": "a", "label": "b"}\n{"text": null}\n{"label": "b"}\n')
    assert [document.text for document in read(path)] == ["a", "", ""]


def test_half_a_surrogate(table: Write) -> None:
    """Half of a surrogate pair becomes the replacement character."""
    path = table("own.jsonl", '{"text": "great \\ud83d", "label": "pos"}\n')
    assert pairs(path) == [("great \ufffd", "pos")]


def test_long_cell(table: Write) -> None:
    """Cells and lines may be long."""
    assert len(read(table("own.csv", "text\n" + "x" * 3_000_000 + "\n"))[0].text) == 3_000_000
    content = "text,label\n" + f'"{"x, " * 100_000}",a\n'
    assert len(read(table("own.csv", content))[0].text) == 300_000


def test_streams(table: Write) -> None:
    """Rows before a broken one are yielded: the file is not read as a whole."""
    path = table("own.jsonl", '{"text": "a"}\n' + "broken\n" * 10)
    assert next(iter(Table(path))).text == "a"


def test_large_json_list(table: Write) -> None:
    """A list of more than one piece is read whole, and a broken one names the row."""
    rows = [{"text": f"text {number} " + "x" * 90, "label": number % 3} for number in range(20_000)]
    content = json.dumps({"data": rows})
    assert len(read(table("own.json", content))) == 20_000
    broken = content.replace('"text 15000 ', 'text 15000 "')
    with pytest.raises(TableError, match="row 15001: not JSON"):
        read(table("own.json", broken))


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("a.csv", "body,class\nx,y\n", (), "no column 'text' (there are: ['body', 'class'])"),
        ("a.csv", "body,class\nx,y\n", (), "such as --text-column 'body'"),
        (
            "a.csv",
            "text,category\nx,y\n",
            (),
            "no column 'label' (there are: ['text', 'category'])",
        ),
        ("a.csv", "text,category\nx,y\n", (), "such as --label-column 'category', or"),
        ("a.csv", "text,category\nx,y\n", (), "--label-column none if there are no labels"),
        (
            "a.jsonl",
            '{"text": "x", "kind": 1}',
            (),
            "no column 'label' (there are: ['text', 'kind'])",
        ),
        ("a.csv", "text,label\nx,y\n", ("text", "class"), "name one of them with --label-column"),
        ("a.csv", "text,label\nx,y\n", ("text", None, "nr"), "name one of them with --id-column"),
        ("a.csv", "text,label,label\nx,y,z\n", (), "columns 2 and 3 are both named 'label'"),
        ("a.csv", "text,Label,LABEL\nx,y,z\n", (), "columns 2 and 3 are both named"),
        ("a.csv", "text\nx\n", ("text", "class"), "name one of them with --label-column"),
        ("a.jsonl", '{"body": "x"}\n', (), "no column 'text' (there are: ['body'])"),
        (
            "a.csv",
            "a b c d,e f g h\ni j k l,m n o p\n",
            (),
            "it is not clear which one holds the texts",
        ),
        (
            "a.tsv",
            "the first long text\tx\tA\nthe second\ty\tB\nthe third text\tx\tA\n",
            (),
            "2: x, y; 3: A, B",
        ),
        ("a.csv", "text,label\nx,y\nx,y,z\n", (), "line 3: 3 cells instead of 2"),
        ("a.csv", "text,label\nx,y\nx\n", (), "line 3: 1 cell instead of 2"),
        ("a.csv", "text,label\n" + "one, two,a\n" * 9, (), "line 1: 2 cells, but most rows have 3"),
        (
            "a.csv",
            b"text,label\n" + "ü,ä\nö,ü\n".encode() + b"\xff,x\n",
            (),
            "line 4: it is not utf-8",
        ),
        ("a.csv", "text,label\nsome longer text,y\nx\0,z\n", (), "line 3: it contains a zero byte"),
        ("a.jsonl", '{"text": "x"}\n{"text":\n', (), "line 2: not JSON (Expecting value)"),
        ("a.jsonl", "[" * 100_000, (), "not JSON"),
        ("a.jsonl", "null\n", (), "not JSON"),
        ("a.jsonl", '"x"\n', (), "not JSON"),
        ("a.json", '["x"]\n', (), "row 1: a string, not an object"),
        ("a.json", '{"text": "x"}, 1', (), "no list of objects"),
        (
            "a.json",
            '{"a": [{"text": "x"}], "b": [{"text": "y"}]}',
            (),
            "two lists of objects, 'a' and 'b'",
        ),
        ("a.json", '[{"text": "x"}] 1', (), "something follows the list"),
        ("a.json", '[{"text": "x"}', (), "row 1: not JSON"),
        ("a.jsonl", '{"text": 5}\n', (), "line 1: 'text' is a number, not text"),
        ("a.jsonl", '{"text": true}\n', (), "line 1: 'text' is true or false, not text"),
        ("a.jsonl", '{"text": {}}\n', (), "line 1: 'text' is an object, not text"),
        ("a.jsonl", '{"text": "x", "text": "y"}\n', (), "two values of 'text'"),
        ("a.jsonl", '{"text": "x", "label": []}\n', (), "'label' is a list, not text or a number"),
        ("a.csv", "text,label,t\nx,y,May\n", ("text", None, None, "t"), "'May' is not a time"),
        ("a.csv", "text,label,nr\nx,y, \n", ("text", None, "nr"), "'nr' is empty"),
        ("a.csv", "text,label\n", (), "contains no documents"),
        ("a.csv", "", (), "contains no documents"),
        ("a.csv", "\n \n", (), "contains no documents"),
        ("a.jsonl", "\n\n", (), "contains no documents"),
        ("a.csv", b"%PDF-1.7 ...", (), "a PDF document"),
        ("a.csv", b"PK\x03\x04....", (), "a zip archive"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", (), "old Excel"),
        ("a.csv", b"<!DOCTYPE html><html>", (), "HTML or XML"),
        ("a.csv", bytes(range(256)), (), "no text"),
        ("a.csv.gz", gzip.compress(b"text\n" * 100, mtime=0)[:-9], (), "is damaged"),
        ("a.parquet", b"PAR1....", (), "can't be read as Parquet"),
        ("a.txt", "__label__a __label__b text\n", (), "2 labels; newsreel learns one"),
    ],
)
def test_mistakes(
    table: Write, name: str, content: str | bytes, columns: tuple[str | None, ...], message: str
) -> None:
    """The error about a mistake is one line, which names the file and says what to do."""
    path = table(name, content)
    with pytest.raises(TableError, match=re.escape(message)) as caught:
        read(path, ColumnNames(*columns))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("xl/workbook.xml", "Excel workbook"),
        ("word/x.xml", "Word"),
        ("a.csv", "archive with a.csv"),
    ],
)
def test_archives(tmp_path: Path, member: str, what: str) -> None:
    """A zip archive is named for what it is."""
    import zipfile  # noqa: PLC0415

    with zipfile.ZipFile(tmp_path / "a.csv", "w") as archive:
        archive.writestr(member, "x")
    with pytest.raises(TableError, match=what):
        Table(tmp_path / "a.csv")


def test_many_columns(table: Write) -> None:
    """The error about a missing column shows only some of many columns."""
    names = ",".join(f"column{number}" for number in range(1000))
    path = table("a.csv", f"{names}\n{'x,' * 999}x\n")
    with pytest.raises(TableError) as caught:
        read(path, named=True)
    assert len(str(caught.value)) < 1000


def test_unreadable(tmp_path: Path) -> None:
    """A file that can't be opened gives a one-line error."""
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match=r"folder\.csv can't be read: Is a directory"):
        Table(tmp_path / "folder.csv")
