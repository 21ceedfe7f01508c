"""Raw files as public data sets come: read whole, without options or with those a message names."""

import csv
import io
import json
import re
from pathlib import Path

import duckdb
import pytest
from helpers import ROOT
from structlog.testing import capture_logs

from producer.corpus.tables.columns import ColumnNames
from producer.corpus.tables.rows import TableError
from producer.corpus.tables.table import Table

RAW = ROOT.parent / "shared" / "data" / "raw"

ROWS = 300

TEXTS = [
    f'Text {number}, with commas; semicolons - and "quotes" {number}"' + " and words" * (number % 9)
    for number in range(ROWS)
]


def read(path: Path, *columns: str | None) -> tuple[list[tuple[str, str | None]], str]:
    """Return texts and labels, and how the file was read."""
    with capture_logs() as logs:
        found = [(document.text, document.label) for document in Table(path, ColumnNames(*columns))]
    (how,) = (line["event"] for line in logs if line["event"].startswith("read as: "))
    return found, how.removeprefix("read as: ")


def comma_separated(rows: list[tuple[object, ...]], **options: object) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n", **options).writerows(rows)  # type: ignore[arg-type]
    return file.getvalue()


def test_sms_spam(tmp_path: Path) -> None:
    """SMS Spam: label, tab, text with any quotes; no header."""
    rows = [(text, "spam" if number % 7 == 0 else "ham") for number, text in enumerate(TEXTS)]
    rows[5] = ('"A quote that opens', "ham")
    path = tmp_path / "SMSSpamCollection"
    path.write_text("".join(f"{label}\t{text}\n" for text, label in rows))
    assert read(path) == (rows, "tab, no quoting, no header, utf-8")


def test_ag_news(tmp_path: Path) -> None:
    """AG News: all cells quoted, quotes doubled, backslashes that escape nothing; no header."""
    texts = [text.replace("Text", "Dow\\band \\$5") + " and more words" * 3 for text in TEXTS]
    rows = [(number % 4 + 1, f"Title {number}", text) for number, text in enumerate(texts)]
    path = tmp_path / "train.csv"
    path.write_text(comma_separated(rows, quoting=csv.QUOTE_ALL))
    expected = [(text, str(label)) for label, _, text in rows]
    assert read(path) == (expected, "comma, double quotes, no header, utf-8")


def test_yelp(tmp_path: Path) -> None:
    r"""Yelp: class and text, quotes doubled, line ends written as \n; no header."""
    rows = [(number % 5 + 1, text + "\\n\\nbye") for number, text in enumerate(TEXTS)]
    path = tmp_path / "train.csv"
    path.write_text(comma_separated(rows, quoting=csv.QUOTE_ALL))
    assert read(path)[0] == [(text, str(label)) for label, text in rows]


def test_imdb(tmp_path: Path) -> None:
    """IMDB: header, quoted where needed, text before label; the message names the options."""
    rows = [(f"{text}<br /><br />bye", ("positive", "negative")[len(text) % 2]) for text in TEXTS]
    path = tmp_path / "IMDB Dataset.csv"
    path.write_text(comma_separated([("review", "sentiment"), *rows]))
    with pytest.raises(TableError) as caught:
        read(path)
    (column,) = re.findall(r"such as --text-column '(\w+)'", str(caught.value))
    with pytest.raises(TableError) as caught:
        read(path, column)
    (label,) = re.findall(r"such as --label-column '(\w+)'", str(caught.value))
    assert read(path, column, label) == (rows, "comma, double quotes, header, utf-8")


def test_spark(tmp_path: Path) -> None:
    """A CSV file of Spark: quotes escaped by backslashes."""
    rows = [(text, f"q{len(text) % 3}") for text in TEXTS]
    path = tmp_path / "part-00000.csv.gz"
    options = {"doublequote": False, "escapechar": "\\"}
    import gzip  # noqa: PLC0415

    path.write_bytes(gzip.compress(comma_separated([("text", "label"), *rows], **options).encode()))
    how = "comma, double quotes escaped by backslashes, header, utf-8, gzip"
    assert read(path) == (rows, how)


def test_sentiment140(tmp_path: Path) -> None:
    """Sentiment140: all cells quoted, six columns without header, in Latin-1."""
    rows = [
        ((0, 4)[number % 2], 1000 + number, f"Mon Apr 06 {number}", "NO_QUERY", f"u{number}", text)
        for number, text in enumerate(f"{text} caf\u00e9 \u00bd" for text in TEXTS)
    ]
    path = tmp_path / "training.1600000.csv"
    path.write_bytes(comma_separated(rows, quoting=csv.QUOTE_ALL).encode("latin-1"))
    expected = [(row[5], str(row[0])) for row in rows]
    assert read(path) == (expected, "comma, double quotes, no header, cp1252")


def test_excel(tmp_path: Path) -> None:
    """A European Excel: ``sep=;`` before the header, carriage return and line feed, cp1252."""
    rows = [(f"{text} \u20ac", "gr\u00fcn") for text in TEXTS]
    path = tmp_path / "Mappe1.csv"
    content = "sep=;\n" + comma_separated([("text", "label"), *rows], delimiter=";")
    path.write_bytes(content.replace("\n", "\r\n").encode("cp1252"))
    assert read(path) == (rows, "semicolon, double quotes, header, cp1252")


def test_fasttext(tmp_path: Path) -> None:
    """A training file of fastText."""
    path = tmp_path / "cooking.train"
    path.write_text("".join(f"__label__l{len(text) % 3} {text}\n" for text in TEXTS))
    assert read(path) == ([(text, f"l{len(text) % 3}") for text in TEXTS], "fastText, utf-8")


def test_hugging_face(tmp_path: Path) -> None:
    """Parquet of Hugging Face: class numbers are replaced by their names."""
    path = tmp_path / "train-00000-of-00001.parquet"
    names = ["World", "Sports"]
    features = {"label": {"names": names, "_type": "ClassLabel"}}
    metadata = json.dumps({"info": {"features": features}}).replace("'", "''")
    rows = [(text, number % 2) for number, text in enumerate(TEXTS)]
    with duckdb.connect() as connection:
        connection.execute("create table t (text varchar, label bigint)")
        connection.executemany("insert into t values (?, ?)", [*rows, (None, None)])
        connection.execute(
            f"copy t to '{path}' (format parquet, kv_metadata {{huggingface: '{metadata}'}})"
        )
    expected = [*((text, names[label]) for text, label in rows), ("", None)]
    assert read(path) == (expected, "Parquet, names of classes in label")


def test_parquet_types(tmp_path: Path) -> None:
    """Labels of Parquet are numbers, booleans or texts; texts are texts."""
    path = tmp_path / "own.parquet"
    columns = "'a' as text, 1.0::double as one, true as two, 3::decimal(5, 2) as three"
    with duckdb.connect() as connection:
        connection.execute(f"copy (select {columns}, 'b'::blob as body) to '{path}'")
    labels = [read(path, "text", name)[0][0][1] for name in ("one", "two", "three")]
    assert labels == ["1", "true", "3"]
    assert read(path, "body", "one")[0] == [("b", "1")]
    with pytest.raises(TableError, match="row 1: 'one' is a number, not text"):
        read(path, "one", "none")


def test_kaggle_news(tmp_path: Path) -> None:
    """A JSON list of a news data set, several columns of text."""
    rows = [
        {"category": f"C{len(text) % 3}", "headline": text, "short_description": f"About {text}"}
        for text in TEXTS
    ]
    path = tmp_path / "news.json"
    path.write_text(json.dumps(rows, indent=1))
    found, how = read(path, "headline,short_description", "category")
    assert how == "a JSON list, utf-8"
    assert found[0] == (f"{TEXTS[0]}\n\nAbout {TEXTS[0]}", rows[0]["category"])
    assert len(found) == ROWS


raw = pytest.mark.skipif(not RAW.exists(), reason="the raw files are not here")


@raw
def test_gnad() -> None:
    """Ten thousand German News: semicolons, single quotes where needed, no header."""
    path = RAW / "gnad-semicolon.csv"
    found, how = read(path)
    assert how == "semicolon, single quotes, no header, utf-8"
    lines = path.read_text().splitlines()
    assert [label for _, label in found] == [line.partition(";")[0] for line in lines]
    assert [text for text, _ in found] == [line.partition(";")[2].strip("'") for line in lines]


@raw
def test_germeval() -> None:
    """GermEval 2018: tabs, quotes that do not quote, two columns of labels: the message asks."""
    path = RAW / "germeval18-unquoted-no-header.tsv"
    with pytest.raises(TableError, match="give the number of one with --label-column"):
        read(path)
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    for column in (2, 3):
        expected = [(row[0], row[column - 1]) for row in rows]
        assert read(path, None, str(column)) == (expected, "tab, no quoting, no header, utf-8")
