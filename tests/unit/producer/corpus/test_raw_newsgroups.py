"""The raw posts of 20 Newsgroups."""

import io
import re
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsreel.events.document import Document
from producer.corpus import raw_newsgroups
from producer.corpus.raw_newsgroups import RawNewsgroupsError

POSTS = {
    "20news-bydate-train/sci.space/100": "From: a\nSubject: Mars\n\nr\xe9d planet\n--\nme\n",
    "20news-bydate-train/alt.atheism/100": "From: b\n\nwhy\n",
    "20news-bydate-test/sci.space/101": "From: c\n\n> quoted\nreply\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in POSTS.items():
        path = tmp_path / "bydate" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1"))
    (tmp_path / "bydate/20news-bydate-train/.DS_Store").touch()
    (tmp_path / "bydate/20news-bydate-train/sci.space/.DS_Store").touch()
    return tmp_path / "bydate"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "bydate.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in POSTS.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode("latin-1")))
    return path


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_reads_posts(kind: str, request: pytest.FixtureRequest) -> None:
    """Folder and archive give the same posts, with ids unique across groups and splits."""
    path = request.getfixturevalue(kind)
    documents = sorted(
        raw_newsgroups.read(path, ("train", "test"), ()), key=lambda document: document.id
    )
    assert documents == [
        Document("test/sci.space/101", "From: c\n\n> quoted\nreply\n", "sci.space"),
        Document("train/alt.atheism/100", "From: b\n\nwhy\n", "alt.atheism"),
        Document(
            "train/sci.space/100", "From: a\nSubject: Mars\n\nr\xe9d planet\n--\nme\n", "sci.space"
        ),
    ]


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_split(kind: str, request: pytest.FixtureRequest) -> None:
    """Only the given splits are read."""
    path = request.getfixturevalue(kind)
    assert [document.id for document in raw_newsgroups.read(path, ("test",), ())] == [
        "test/sci.space/101"
    ]


def test_plain_split_folders(tmp_path: Path) -> None:
    """The folders of the splits may be named train and test."""
    (tmp_path / "train/sci.space").mkdir(parents=True)
    (tmp_path / "train/sci.space/1").write_text("text")
    assert list(raw_newsgroups.read(tmp_path, ("train",), ())) == [
        Document("train/sci.space/1", "text", "sci.space")
    ]


def test_remove(folder: Path) -> None:
    """Headers, footers and quotes are removed on request."""
    removed = raw_newsgroups.read(folder, ("train", "test"), ("headers", "footers", "quotes"))
    assert {document.id: document.text for document in removed} == {
        "train/sci.space/100": "r\xe9d planet",
        "train/alt.atheism/100": "why\n",
        "test/sci.space/101": "reply\n",
    }


lines = st.sampled_from(
    ["", " ", "--", "---- ", "> quoted", "| quoted", "In article <1>", "a wrote:", "text", "x\n\ny"]
)


@settings(deadline=None)  # the first example imports scikit-learn
@given(text=st.lists(lines, max_size=12).map("\n".join))
def test_strips_as_scikit_learn(text: str) -> None:
    """Headers, footers and quotes are those that scikit-learn removes."""
    from sklearn.datasets import _twenty_newsgroups as sklearn  # noqa: PLC0415

    for part, strip in (
        ("headers", sklearn.strip_newsgroup_header),
        ("footers", sklearn.strip_newsgroup_footer),
        ("quotes", sklearn.strip_newsgroup_quoting),
    ):
        assert raw_newsgroups.strip(Document("1", text), (part,)).text == strip(text)


def test_no_posts(tmp_path: Path) -> None:
    """The error about a folder without posts shows the expected paths."""
    message = "contains no 20news-bydate-test/<group>/<id>; give the folder or .tar.gz that does"
    with pytest.raises(RawNewsgroupsError, match=re.escape(message)):
        list(raw_newsgroups.read(tmp_path, ("test",), ()))


def test_damaged_archives(archive: Path) -> None:
    """A truncated archive, or another file, gives a one-line error."""
    content = archive.read_bytes()
    for damaged in (content[: len(content) // 2], content[:5], b"no archive", b""):
        archive.write_bytes(damaged)
        with pytest.raises(
            RawNewsgroupsError, match=r"can't be read .*; get a new copy of it"
        ) as caught:
            list(raw_newsgroups.read(archive, ("train",), ()))
        assert "\n" not in str(caught.value)
