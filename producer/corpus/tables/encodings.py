"""The encoding of a text file, and its lines."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import chardet
from chardet import EncodingEra

from producer.corpus.tables import content
from producer.corpus.tables.dialect import ANY_END

CHUNK = 1 << 20

ENOUGH_LINES = 200
"""Lines with characters beyond ASCII that decide the encoding."""

MIN_ZERO_SHARE = 0.05
"""Share of code units of UTF-16 that have a zero byte, in a file with separators and line ends."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

UNDECODABLE = re.compile("[\udc80-\udcff]")
"""A byte that is not of the file's encoding, as `lines` returns it."""

_ANY_LINE = re.compile(r"[^\r\n]*(?:\r\n|[\r\n])|[^\r\n]+")

_LINE = re.compile(rb"[\r\n]+")


def detect(path: Path) -> str:
    """Return the name of the codec of a text file.

    A byte order mark decides, then zero bytes at every other place (UTF-16). Without them, a file
    is UTF-8 if most of its lines beyond ASCII are; a few other lines are bad rows. Otherwise
    chardet says which older encoding it is. Chardet alone is not enough: a single wrong byte would
    turn UTF-8 into something else.
    """
    with content.opened(path) as file:
        head = file.read(CHUNK)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        if name := _utf_16(head):
            return name
        right, wrong = _lines_beyond_ascii(head, file)
    if len(wrong) <= len(right):
        return "utf-8"
    return _older(b"\n".join(wrong + right))


def _lines_beyond_ascii(head: bytes, file: IO[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return lines that are UTF-8, and lines that are not, `ENOUGH_LINES` together."""
    right: list[bytes] = []
    wrong: list[bytes] = []
    rest, chunk = b"", head
    while chunk and len(right) + len(wrong) < ENOUGH_LINES:
        block = rest + chunk
        *complete, rest = [b""] if block.isascii() else _LINE.split(block)
        for line in complete:
            if not line.isascii():
                (right if _is_utf_8(line) else wrong).append(line)
        chunk = file.read(CHUNK)
    if not rest.isascii() and not chunk:
        (right if _is_utf_8(rest) else wrong).append(rest)
    return right, wrong


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _utf_16(head: bytes) -> str:
    """Return the codec of UTF-16 without a mark; empty for another encoding."""
    units = max(1, len(head) // 2)
    high, low = head[::2].count(0), head[1::2].count(0)
    if max(high, low) < MIN_ZERO_SHARE * units or min(high, low) > 0.1 * max(high, low):
        return ""
    return "utf-16-be" if high > low else "utf-16-le"


def _older(sample: bytes) -> str:
    """Return the codec of a text of which lines are not UTF-8."""
    found = chardet.detect(sample, encoding_era=EncodingEra.MODERN_WEB)["encoding"] or "cp1252"
    name = codecs.lookup(found).name
    if name in {"cp1252", "iso8859-1", "utf-8", "ascii"}:
        name = "cp1252"
    try:
        sample.decode(name)
    except UnicodeDecodeError:
        return "latin-1" if name == "cp1252" else name
    return name


def lines(path: Path, encoding: str, end: str = "\n") -> Iterator[str]:
    """Stream the lines of a file, each with its end; bytes of another encoding are `UNDECODABLE`.

    Parameters
    ----------
    path
        Text file, compressed or not.
    encoding
        Name of the codec.
    end
        End of a line: a line feed, a carriage return, or `ANY_END`.
    """
    wide = _is_wide(encoding)
    codec = "utf-8" if wide or encoding == "utf-8-sig" else encoding
    with content.opened(path) as file:
        chunks = _recoded(file, encoding) if wide else iter(lambda: file.read(CHUNK), b"")
        if encoding in {"utf-8", "utf-8-sig"}:
            chunks = _without_mark(chunks)
        for line in _split(chunks, b"\r" if end == "\r" else b"\n"):
            decoded = line.decode(codec, "surrogateescape")
            if end == ANY_END and "\r" in decoded:
                yield from _ANY_LINE.findall(decoded)
            else:
                yield decoded


def text(path: Path, encoding: str) -> Iterator[str]:
    """Stream the text of a file in pieces; bytes of another encoding are `UNDECODABLE`."""
    errors = "replace" if _is_wide(encoding) else "surrogateescape"
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)(errors)
    with content.opened(path) as file:
        while chunk := file.read(CHUNK):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)


def _is_wide(encoding: str) -> bool:
    return encoding.startswith(("utf-16", "utf-32"))


def _recoded(file: IO[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while chunk := file.read(CHUNK):
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _without_mark(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield next(chunks, b"").removeprefix(codecs.BOM_UTF8)
    yield from chunks


def _split(chunks: Iterator[bytes], end: bytes) -> Iterator[bytes]:
    parts: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(end)
        parts.append(first)
        for following in others:
            yield b"".join(parts) + end
            parts = [following]
    if last := b"".join(parts):
        yield last
