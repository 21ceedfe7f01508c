"""Finding a corpus by its name."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from newsreel.common.errors import UserError
from producer.corpus import newsgroups
from producer.corpus.find import Corpus, find_corpus


def find(name: str | Path, split: str | None = None, remove: Collection[str] = ()) -> Corpus:
    return find_corpus(str(name), split=split, remove=remove)


def test_newsgroups_is_fetched_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 Newsgroups is downloaded when the corpus is read, not when it is found."""
    calls = []
    monkeypatch.setattr(newsgroups, "read", lambda *arguments: calls.append(arguments) or iter(()))
    corpus = find("20newsgroups")
    assert calls == []
    assert list(corpus) == []
    assert calls == [(("train",), ())]
    assert corpus.source == "newsreel/20newsgroups"


def test_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The split ``all`` means both splits, the training documents first."""
    calls = []
    monkeypatch.setattr(newsgroups, "read", lambda *arguments: calls.append(arguments) or iter(()))
    for split in ("train", "test", "all"):
        list(find("20newsgroups", split))
    assert [splits for splits, _ in calls] == [("train",), ("test",), ("train", "test")]


def test_own_file(tmp_path: Path) -> None:
    """A file can be read several times, and its name is the source of its documents."""
    path = tmp_path / "my own.csv"
    path.write_text("text\na\nb\n")
    corpus = find(path)
    assert [document.text for document in corpus] == ["a", "b"]
    assert [document.text for document in corpus] == ["a", "b"]
    assert corpus.source == "my%20own.csv"


def test_bydate_folder(tmp_path: Path) -> None:
    """A folder is read as the raw posts of 20 Newsgroups."""
    (tmp_path / "20news-bydate-train/sci.space").mkdir(parents=True)
    (tmp_path / "20news-bydate-train/sci.space/1").write_text("head\n\nbody")
    assert [document.text for document in find(tmp_path, remove=("headers",))] == ["body"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nowhere.csv", {}, "no such file or folder; give the path of one, or '20news"),
        ("own.xlsx", {}, "is a zip archive; unpack it"),
        ("own.csv", {"split": "test"}, "--split, --remove and --dates are for 20 Newsgroups"),
        ("own.csv", {"remove": ("quotes",)}, "--split, --remove and --dates are for 20 Newsgroups"),
        ("body.csv", {}, "no column 'text'"),
        ("empty.csv", {}, "contains no documents"),
        ("folder", {}, "contains no 20news-bydate-train/<group>/<id>"),
        ("broken.tar.gz", {}, "can't be read"),
    ],
)
def test_mistakes_are_found_at_once(
    tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    """A wrong path, or a wrong beginning of its content, is reported when the corpus is found."""
    for file, content in (
        ("own.csv", "text\na\n"),
        ("body.csv", "body\na\n"),
        ("own.xlsx", "PK\3\4"),
    ):
        (tmp_path / file).write_text(content)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "broken.tar.gz").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path / name, **options)
    assert "\n" not in str(caught.value)
