"""The raw posts of 20 Newsgroups: one file a post, in a folder or an archive."""

import re
import tarfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from newsreel.common.errors import UserError
from newsreel.events.document import Document

_POST = re.compile(r"(?:^|/)(?:20news-bydate-)?(train|test)/([^/]+)/([^/.][^/]*)$")

_DATE = re.compile(r"^Date:\s*(.+)$", re.MULTILINE | re.IGNORECASE)

_QUOTING = re.compile(r"(writes in|writes:|wrote:|says:|said:|^In article|^Quoted from|^\||^>)")


class RawNewsgroupsError(UserError):
    """The folder or archive has no raw posts, or they can't be read."""


def read(path: Path, splits: Collection[str], remove: Collection[str]) -> Iterator[Document]:
    """Stream the posts of a folder or archive.

    Parameters
    ----------
    path
        Folder or .tar.gz with files ``20news-bydate-train/<group>/<id>`` or
        ``train/<group>/<id>``, and the same for test.
    splits
        Splits to read: some of ``train`` and ``test``.
    remove
        Parts to remove from each post, as `strip` does: some of ``headers``, ``footers`` and
        ``quotes``.

    Raises
    ------
    RawNewsgroupsError
        The archive is damaged, a file can't be read, or there are no posts of these splits.
    """
    empty = True
    try:
        for name, content in _folder(path, splits) if path.is_dir() else _archive(path, splits):
            empty = False
            yield strip(document(name, content.decode("latin-1")), remove)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise RawNewsgroupsError(f"{path} can't be read ({error}); get a new copy of it") from error
    if empty:
        wanted = " or ".join(f"20news-bydate-{split}/<group>/<id>" for split in splits)
        raise RawNewsgroupsError(
            f"{path} contains no {wanted}; give the folder or .tar.gz that does"
        )


def document(name: str, text: str) -> Document:
    """Return the document of a post; its id is the end of the path, unique in both splits."""
    match = _POST.search(name)
    assert match  # noqa: S101 - callers pass posts only
    split, group, number = match.groups()
    return Document(f"{split}/{group}/{number}", text, group, _date(text))


def _date(text: str) -> datetime | None:
    """Parse the header ``Date``, which posts of the bydate split have lost."""
    match = _DATE.search(text.partition("\n\n")[0])
    try:
        date = parsedate_to_datetime(match[1]) if match else None
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date and date.tzinfo is None else date


def strip(post: Document, remove: Collection[str]) -> Document:
    """Remove headers, footers and quotes from a post, by scikit-learn's rules.

    Parameters
    ----------
    post
        Post to change.
    remove
        Parts to remove. ``headers`` end at the first empty line. ``footers`` begin at the last line
        that is empty or made of hyphens. ``quotes`` are lines that begin with ``>`` or ``|``, and
        lines that introduce them.
    """
    text = post.text
    if "headers" in remove:
        text = text.partition("\n\n")[2]
    if "footers" in remove:
        lines = text.strip().split("\n")
        rulers = [number for number, line in enumerate(lines) if not line.strip().strip("-")]
        if rulers and rulers[-1] > 0:
            text = "\n".join(lines[: rulers[-1]])
    if "quotes" in remove:
        text = "\n".join(line for line in text.split("\n") if not _QUOTING.search(line))
    return replace(post, text=text)


def _folder(path: Path, splits: Collection[str]) -> Iterator[tuple[str, bytes]]:
    for file in sorted(path.glob("*/*/*")):
        if _is_wanted(file.as_posix(), splits) and file.is_file():
            yield file.as_posix(), file.read_bytes()


def _archive(path: Path, splits: Collection[str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            if _is_wanted(member.name, splits) and (file := archive.extractfile(member)):
                yield member.name, file.read()


def _is_wanted(name: str, splits: Collection[str]) -> bool:
    match = _POST.search(name)
    return match is not None and match[1] in splits
