"""Separators, quoting, line ends, encodings and headers of separated files."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from newsreel.events.document import Document
from producer.corpus.tables.columns import ColumnNames
from producer.corpus.tables.dialect import ANY_END, Dialect
from producer.corpus.tables.rows import TableError
from producer.corpus.tables.sniffer import line_end, sniff
from producer.corpus.tables.table import Format, Table

SEPARATORS = [",", ";", "\t", "|", "\x01", "^", "~"]

ENDS = ["\n", "\r\n", "\r"]

LABELS = ["spam", "ham", "eggs"]


def read(path: Path, **form: str | bool) -> list[tuple[str, str | None]]:
    return [(document.text, document.label) for document in documents(path, **form)]


def documents(path: Path, **form: str | bool) -> list[Document]:
    return list(Table(path, form=Format(**form)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dialects") / "own.txt"


def write_table(
    path: Path,
    rows: list[tuple[str, str]],
    separator: str,
    end: str,
    *,
    header: bool,
    **dialect: object,
) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, lineterminator=end, **dialect)  # type: ignore[arg-type]
    writer.writerows([*([("text", "label")] if header else []), *rows])
    path.write_text(file.getvalue(), "utf-8", newline="")


plain = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\"'\\"),
    min_size=1,
).filter(lambda text: text.strip() == text)

anything = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], include_characters="\n\r\t")
)

table_rows = st.lists(st.tuples(plain, st.sampled_from(LABELS)), min_size=1, max_size=20)


@given(
    rows=table_rows,
    separator=st.sampled_from(SEPARATORS),
    end=st.sampled_from(ENDS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
)
def test_unquoted(
    path: Path, rows: list[tuple[str, str]], separator: str, end: str, encoding: str
) -> None:
    """A table without quotes is read back in any separator, line end and Unicode encoding."""
    lines = ["text" + separator + "label", *(text + separator + label for text, label in rows)]
    assume(not any(separator in text for text, _ in rows))
    assume(not encoding.endswith("e") or all(text.isascii() for text, _ in rows))
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    assert read(path) == rows


quoted_rows = st.lists(st.tuples(anything, st.sampled_from(LABELS)), min_size=1, max_size=20)


@given(
    rows=quoted_rows,
    separator=st.sampled_from(SEPARATORS),
    end=st.sampled_from(["\n", "\r\n"]),
    quote=st.sampled_from(['"', "'"]),
    header=st.booleans(),
)
@example(rows=[("a,b\nc", "ham")], separator=",", end="\n", quote='"', header=True)
def test_quoted(
    path: Path, rows: list[tuple[str, str]], separator: str, end: str, quote: str, *, header: bool
) -> None:
    """Any text and label is read back from a table whose dialect is given."""
    write_table(path, rows, separator, end, header=header, quotechar=quote, quoting=csv.QUOTE_ALL)
    quoting = "double" if quote == '"' else "single"
    names = ColumnNames() if header else ColumnNames("1", "2")
    table = Table(path, names, Format(separator, quoting, header, "utf-8"))
    assert [(document.text, document.label) for document in table] == [
        (text if text.strip() else "", label) for text, label in rows
    ]


@given(
    rows=quoted_rows,
    separator=st.sampled_from(SEPARATORS),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from(["double", "backslash"]),
    minimal=st.booleans(),
)
def test_quoted_and_recognized(
    path: Path,
    rows: list[tuple[str, str]],
    separator: str,
    end: str,
    quoting: str,
    *,
    minimal: bool,
) -> None:
    """A quoted table is read back without options: its texts contain separators and line ends."""
    # A text that ends with a backslash, or looks like rows by itself, can be read in two ways.
    assume(not any(mark in text for text, _ in rows for mark in ("\\", "\r", "'")))
    clean = [(f'{separator} {text}\n "quoted" {separator}', label) for text, label in rows]
    options = {} if quoting == "double" else {"doublequote": False, "escapechar": "\\"}
    style = csv.QUOTE_MINIMAL if minimal else csv.QUOTE_ALL
    write_table(path, clean, separator, end, header=True, quoting=style, **options)
    assert read(path) == clean


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('"Unbelievable service\tneg\nfine\tpos\nscreen is 15"\tpos\n', 3),
        ('"Unbelievable service,neg\nfine,pos\nscreen is 15",pos\n', 3),
        ('text;label\n"Unbelievable service;neg\nfine;pos\nscreen is 15";pos\n', 3),
        ('neg\t"Unbelievable service\npos\tfine\npos\tscreen is 15"\n', 3),
        ('neg\t"It ends nowhere\npos\tfine\npos\tgood\n', 3),
        ('text,label\n"Great" movie,pos\n5" screen,neg\n"""well"" quoted",neg\n', 3),
        ("text\tlabel\n'Tis good\tpos\n'Twas bad\tneg\nso so'\tneg\n", 3),
        ('text\tlabel\n"all of it is quoted"\tpos\nthis is not\tneg\nso so\tneg\n', 3),
    ],
)
def test_quotes_that_do_not_quote(path: Path, content: str, rows: int) -> None:
    """Quotes that do not quote merge no rows."""
    path.write_text(content)
    found = documents(path)
    assert len(found) == rows
    assert {document.label for document in found} == {"pos", "neg"}
    assert not any("\n" in document.text for document in found)


def test_a_stray_quote_in_a_quoted_file(path: Path) -> None:
    """A stray quote far behind the recognized beginning merges no rows either, and is logged."""
    content = "text,label\n" + '"good, really",pos\nbad,neg\n' * 40_000
    content += '"Unbelievable service,neg\nfine,pos\nscreen is 15",pos\n'
    path.write_text(content)
    with capture_logs() as logs:
        found = read(path)
    assert found[-3:] == [
        ('"Unbelievable service', "neg"),
        ("fine", "pos"),
        ('screen is 15"', "pos"),
    ]
    assert len(found) == 80_003
    assert logs[-1]["event"] == "quotes that do not quote are part of the text"


def test_two_readings(path: Path) -> None:
    """A file that can be read in two ways is refused, with the option that decides."""
    path.write_text('"Unbelievable service,neg\nscreen is 15",pos\n')
    with pytest.raises(TableError, match="give --quoting none if they are rows, or --quoting doub"):
        documents(path)
    assert len(documents(path, quoting="none")) == 2


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('text,label\n"a \\"big\\", bad crash",bug\nok,fine\n', 'a "big", bad crash'),
        ('text,label\n"a \\\\ \\"big\\"\nbad crash",bug\n"ok",fine\n', 'a \\ "big"\nbad crash'),
        ("text,label\n'it\\'s, bad',bug\n'ok, ok',fine\n", "it's, bad"),
        ("text,label\n'it''s, bad',bug\n'ok, ok',fine\n", "it's, bad"),
        ('text, label\n"one, two", bug\n"three, four", fine\n', "one, two"),
        ('text,label\n"C:\\new",bug\n"a ""b""",fine\n', "C:\\new"),
        ("bug;plain text\nfine;'He said \"so; and so\"'\nfine;short text\n", "plain text"),
        ('text,label\n"she said ""\'yes\'""",bug\nok,fine\n', "she said \"'yes'\""),
    ],
)
def test_quotings(path: Path, content: str, text: str) -> None:
    """Quotes are doubled or escaped; both are recognized."""
    path.write_text(content)
    assert read(path)[0] == (text, "bug")
    assert len(read(path)) == content.count("bug") + content.count("fine")


def test_given_dialect(path: Path) -> None:
    """What the user gives is not doubted."""
    path.write_text("a:x\nb:y\n")
    table = Table(path, ColumnNames("1", "2"), Format(":", "none", named=False))
    assert [(document.text, document.label) for document in table] == [("a", "x"), ("b", "y")]


def test_one_column(path: Path) -> None:
    """Lines without separators are texts without labels."""
    path.write_text("a line of text\nanother one, with a comma\nthe third\n")
    assert [text for text, _ in read(path)] == path.read_text().splitlines()


def test_lines_end_in_several_ways() -> None:
    """Line ends are recognized; a lone carriage return among line feeds ends a line as well."""
    assert line_end("a\nb\n") == "\n"
    assert line_end("a\r\nb\r\n") == "\n"
    assert line_end("a\rb\r") == "\r"
    assert line_end("a\rb\n") == ANY_END
    assert sniff(["a,x\n", "b,y\n"], []) == Dialect(",", "double")


@pytest.mark.parametrize("comment", ["# exported on Monday, by Ann", "# a comment", "#one,two"])
def test_comment_before_the_names(path: Path, comment: str) -> None:
    """A comment before the names of the columns is no row, however many cells it seems to have."""
    path.write_text(f"{comment}\ntext,label\n" + "good day,pos\nbad day,neg\n" * 20)
    assert {document.label for document in documents(path)} == {"pos", "neg"}
    assert len(documents(path)) == 40


def test_rows_that_begin_as_comments(path: Path) -> None:
    """Texts may begin with a number sign where no names of columns follow."""
    path.write_text("#fail again today,neg\n#win of the day,pos\nfine with me,pos\n" * 20)
    assert len(documents(path)) == 60
