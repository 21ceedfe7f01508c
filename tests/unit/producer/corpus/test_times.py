"""Times of documents from a separate file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsreel.events.document import Document
from producer.corpus import raw_newsgroups, times
from producer.corpus.times import TimesError

HEADER = "split\tgroup\tid\tdate_utc\tsubject\n"


def test_read(tmp_path: Path) -> None:
    """Times are read by split, group and id; an empty time is unknown."""
    path = tmp_path / "dates.tsv"
    path.write_text(
        f"{HEADER}train\talt.atheism\t49960\t1993-03-29T15:29:28+00:00\tx\n"
        "test\tsci.med\t7\t1993-04-30 01:02:03\ty\n"
        "test\tsci.med\t8\t\tz\n"
    )
    known_times = times.read(path)
    assert known_times == {
        "train/alt.atheism/49960": datetime(1993, 3, 29, 15, 29, 28, tzinfo=UTC),
        "test/sci.med/7": datetime(1993, 4, 30, 1, 2, 3, tzinfo=UTC),
    }
    documents = [Document("test/sci.med/7", "text"), Document("test/sci.med/8", "text")]
    assert [document.time for document in times.add(iter(documents), known_times)] == [
        *(datetime(1993, 4, 30, 1, 2, 3, tzinfo=UTC), None)
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\n", "has no column 'split'"),
        (f"{HEADER}train\ta\t1\tyesterday\tx\n", "line 2: 'yesterday' is not a time"),
        ("", "has no column 'split'"),
        (None, "can't be read"),
    ],
)
def test_mistakes(tmp_path: Path, content: str | None, message: str) -> None:
    """A missing file, a missing column or a wrong time gives an error that names the problem."""
    path = tmp_path / "dates.tsv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TimesError) as caught:
        times.read(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("header", "time"),
    [
        ("Date: Mon, 29 Mar 93 15:29:28 GMT", datetime(1993, 3, 29, 15, 29, 28, tzinfo=UTC)),
        ("date: 5 Apr 1993 12:00:00 -0500", datetime(1993, 4, 5, 17, tzinfo=UTC)),
        ("Date: soon", None),
        ("Subject: no date", None),
    ],
)
def test_date_header(header: str, time: datetime | None) -> None:
    """A post with a date in its headers has that time."""
    post = raw_newsgroups.document(
        "20news-bydate-train/sci.med/7", f"From: x\n{header}\n\nDate: late\n"
    )
    assert post.time == time


def test_require() -> None:
    """One document with a time is enough; if none has one, the error names the options."""
    untimed = Document("a", "text")
    timed = Document("b", "text", time=datetime(2026, 1, 1, tzinfo=UTC))
    assert list(times.require([untimed, timed])) == [untimed, timed]
    with pytest.raises(TimesError, match="none has one: give --rate"):
        list(times.require([untimed, untimed]))
