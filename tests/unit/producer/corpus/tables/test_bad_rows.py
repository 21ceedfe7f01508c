"""Rows of a file that can't be used."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from producer.corpus.tables.rows import TableError
from producer.corpus.tables.table import Table


def written(path: Path, rows: int, bad: set[int]) -> Path:
    lines = ("404" if number in bad else '"fine"' for number in range(1, rows + 1))
    path.write_text("".join(f'{{"text": {text}, "label": "a"}}\n' for text in lines))
    return path


def test_a_bad_row_is_skipped(tmp_path: Path) -> None:
    """One bad row of many is skipped, shown and counted; the other rows keep their ids."""
    table = Table(written(tmp_path / "own.jsonl", 10_000, {9_000}))
    with capture_logs() as logs:
        ids = [document.id for document in table]
    assert len(ids) == 9_999
    assert ids[8_998:9_000] == ["own.jsonl:8999", "own.jsonl:9001"]
    reason = "'text' is a number, not text"
    assert logs[1:] == [
        {"event": "row skipped", "log_level": "warning", "line": 9_000, "reason": reason},
        {
            "event": "rows skipped",
            "log_level": "warning",
            "bad": 1,
            "of": 10_000,
            "first": f"line 9000: {reason}",
        },
    ]


def test_the_first_five_are_shown_once(tmp_path: Path) -> None:
    """The first five bad rows are shown, also if the file is read again."""
    table = Table(written(tmp_path / "own.jsonl", 1000, set(range(1, 11))))
    with capture_logs() as logs:
        assert [len(list(table)), len(list(table))] == [990, 990]
    shown = [line["line"] for line in logs if line["event"] == "row skipped"]
    assert shown == [1, 2, 3, 4, 5]


def test_too_many_bad_rows(tmp_path: Path) -> None:
    """More than one bad row in a hundred is an error at the end of the file."""
    documents = iter(Table(written(tmp_path / "own.jsonl", 1000, set(range(1, 12)))))
    for _ in range(989):
        next(documents)
    with pytest.raises(TableError, match=r"line 1: .*; 11 of 1000 rows can't be used, more than"):
        next(documents)


def test_a_file_of_bad_rows_ends_soon(tmp_path: Path) -> None:
    """A file of which no row can be used is an error after the first hundred rows."""
    table = Table(written(tmp_path / "own.jsonl", 100_000, set(range(1, 100_001))))
    with pytest.raises(TableError, match=r"101 of the first 101 rows can't be used"):
        next(iter(table))


def test_stop_at_a_bad_row(tmp_path: Path) -> None:
    """The first bad row is an error if the user wants so."""
    table = Table(written(tmp_path / "own.jsonl", 1000, {500}), stop=True)
    with pytest.raises(TableError, match="line 500: 'text' is a number, not text; correct it, or"):
        list(table)


def test_one_wrong_byte(tmp_path: Path) -> None:
    """One byte of another encoding costs one row of many."""
    path = tmp_path / "own.csv"
    path.write_bytes(b"text,label\n" + b"fine,a\n" * 5000 + b"caf\xe9,a\n" + b"fine,a\n" * 5000)
    with capture_logs() as logs:
        assert len(list(Table(path))) == 10_000
    assert logs[-1]["first"] == "line 5002: it is not utf-8; name another encoding with --encoding"
