"""The bytes of a file: decompressed, and refused if they are no text."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard

from producer.corpus.tables.rows import TableError

PARQUET = b"PAR1"

_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
}
"""Names of compressions, by the first bytes of a file."""

_BINARY = {
    b"%PDF": "a PDF document; copy its table into a spreadsheet, and save that as .csv",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file; save it as .csv",
    b"SQLite format 3": "an SQLite database; write its table to .csv",
    b"Obj\x01": "an Avro file; convert it to .parquet or .jsonl",
    b"ORC": "an ORC file; convert it to .parquet",
    b"ARROW1": "an Arrow file; convert it to .parquet",
    b"\x89HDF": "an HDF5 file; convert it to .parquet or .csv",
    b"\x93NUMPY": "a NumPy array; write texts and labels to .csv",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it",
    b"Rar!": "a rar archive; unpack it",
    b"\x80\x04": "a pickle, which newsreel never reads; write it to .parquet or .csv",
    b"\x80\x05": "a pickle, which newsreel never reads; write it to .parquet or .csv",
}

_OFFICE = {
    "xl/": "an Excel workbook; save its sheet as .csv",
    "word/": "a Word document; save its table as .csv",
    "ppt/": "a PowerPoint presentation; it has no table of documents",
    "content.xml": "an OpenDocument file; save its sheet as .csv",
}

MAX_CONTROL_SHARE = 0.05
"""Share of control characters above which a file is no text."""

_CONTROLS = frozenset(map(chr, range(32))) - set("\x01\t\n\v\f\r\x1b\x1c\x1d\x1e\x1f")
"""Control characters that text does not contain; some others separate cells."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressed if it is compressed with gzip, zstd, bzip2 or xz.

    Raises
    ------
    TableError
        The file can't be opened, or is damaged.
    """
    try:
        with _decompressed(path) as file:
            yield file
    except (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, gzip.BadGzipFile) as error:
        raise TableError(f"{path} is damaged ({error}); get a new copy of it") from error
    except OSError as error:
        raise TableError(f"{path} can't be read: {error.strerror or error}") from error


def compression(path: Path) -> str:
    """Return the name of the compression of a file; empty if it is not compressed."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((name for magic, name in _COMPRESSIONS.items() if head.startswith(magic)), "")


def refuse_binary(path: Path, head: bytes) -> None:
    """Raise an error that names the format of a file if it is no text.

    Parameters
    ----------
    path
        Path of the file.
    head
        First bytes of its decompressed content.

    Raises
    ------
    TableError
        The file is no text.
    """
    if head.startswith(b"PK\x03\x04"):
        raise TableError(f"{path} is {_zipped(path)}")
    for magic, what in _BINARY.items():
        if head.startswith(magic):
            raise TableError(f"{path} is {what}")
    if head[257:262] == b"ustar":
        raise TableError(f"{path} is a tar archive; unpack it, and give one of its files")
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise TableError(f"{path} is HTML or XML; give a table: .csv, .tsv, .jsonl or .parquet")


def refuse_controls(path: Path, text: str) -> None:
    """Raise an error if a file has more control characters than text has.

    Parameters
    ----------
    path
        Path of the file.
    text
        Its first characters.

    Raises
    ------
    TableError
        The file is no text.
    """
    if sum(character in _CONTROLS for character in text) > MAX_CONTROL_SHARE * len(text):
        raise TableError(f"{path} is no text; give a table: .csv, .tsv, .jsonl or .parquet")


def _zipped(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return "a zip archive; unpack it"
    for part, what in _OFFICE.items():
        if any(name.startswith(part) for name in names):
            return what
    return f"a zip archive with {', '.join(names[:5])}; unpack it, and give one of its files"


def _decompressed(path: Path) -> IO[bytes]:
    match compression(path):
        case "gzip":
            return cast("IO[bytes]", gzip.open(path))
        case "zstd":
            return cast("IO[bytes]", zstandard.open(path, "rb"))
        case "bzip2":
            return bz2.open(path)
        case "xz":
            return lzma.open(path)
    return path.open("rb")
