"""Which corpus a name means."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from newsreel.common.errors import UserError
from producer.corpus import newsgroups
from producer.corpus.find import Corpus, find_corpus

COLUMNS: dict[str, Any] = {"text_column": "text", "label_column": None, "id_column": None}


def find(name: str | Path, split: str | None = None, remove: Collection[str] = ()) -> Corpus:
    return find_corpus(str(name), split=split, remove=remove, **COLUMNS)


def test_newsgroups_is_not_fetched_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 Newsgroups is fetched when it is read, not when it is found."""
    asked = []
    monkeypatch.setattr(newsgroups, "read", lambda *arguments: asked.append(arguments) or iter(()))
    found = find("20newsgroups")
    assert asked == []
    assert list(found) == []
    assert asked == [(("train",), ())]
    assert found.source == "newsreel/20newsgroups"


def test_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """All means both splits, the training documents first."""
    asked = []
    monkeypatch.setattr(newsgroups, "read", lambda *arguments: asked.append(arguments) or iter(()))
    for split in ("train", "test", "all"):
        list(find("20newsgroups", split))
    assert [splits for splits, _ in asked] == [("train",), ("test",), ("train", "test")]


def test_own_file(tmp_path: Path) -> None:
    """A file can be read again and again, and is its documents' source."""
    path = tmp_path / "my own.csv"
    path.write_text("text\na\nb\n")
    found = find(path)
    assert [document.text for document in found] == ["a", "b"]
    assert [document.text for document in found] == ["a", "b"]
    assert found.source == "my%20own.csv"


def test_bydate_folder(tmp_path: Path) -> None:
    """A folder is taken for the raw posts of 20 Newsgroups."""
    (tmp_path / "20news-bydate-train/sci.space").mkdir(parents=True)
    (tmp_path / "20news-bydate-train/sci.space/1").write_text("head\n\nbody")
    assert [document.text for document in find(tmp_path, remove=("headers",))] == ["body"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nowhere.csv", {}, "there is no such file or folder; give the path of one, or '20news"),
        ("own.xlsx", {}, "newsreel reads .jsonl, .csv, .tsv files, and 20 Newsgroups as a folder"),
        ("own.csv", {"split": "test"}, "--split, --remove and --dates are for 20 Newsgroups"),
        ("own.csv", {"remove": ("quotes",)}, "--split, --remove and --dates are for 20 Newsgroups"),
        ("body.csv", {}, "no column 'text'"),
        ("empty.csv", {}, "holds no documents"),
        ("folder", {}, "holds no 20news-bydate-train/<group>/<id>"),
        ("broken.tar.gz", {}, "can't be read"),
    ],
)
def test_mistakes_are_found_at_once(
    tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    """What is wrong with a path, or with the beginning of its content, is told before reading."""
    for file, content in (("own.csv", "text\na\n"), ("body.csv", "body\na\n"), ("own.xlsx", "x")):
        (tmp_path / file).write_text(content)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "broken.tar.gz").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path / name, **options)
    assert "\n" not in str(caught.value)
