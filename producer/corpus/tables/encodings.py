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
from producer.corpus.tables.rows import TableError

CHUNK = 1 << 20

ENOUGH_LINES = 200
"""Lines with characters beyond ASCII that decide the encoding."""

FEW_LINES = 3
"""Lines that are not UTF-8 and say nothing about another encoding, if they are 1 % at most."""

MIN_ZERO_SHARE = 0.3
"""Share of code units with a zero byte above which bytes that are UTF-8 are UTF-16."""

WESTERN = "cp1252"
"""Encoding of the most texts in Latin script that are not Unicode."""

MIN_CONFIDENCE = 0.06
"""Confidence of chardet below which a text in Latin script is taken for a Western one."""

_LATIN = frozenset({"cp1250", "cp1254", "cp1257", "cp1258"})

_OTHER_SCRIPTS = frozenset({"cp1251", "cp1253", "cp1255", "cp1256", "cp874", "koi8-r", "koi8-u"})

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")

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
        right, wrong, total = _lines_beyond_ascii(head, file)
    few = len(wrong) <= FEW_LINES and len(wrong) * 100 <= total
    if few or len(wrong) <= len(right):
        return "utf-8"
    return _older(b"\n".join(wrong + right))


def _lines_beyond_ascii(head: bytes, file: IO[bytes]) -> tuple[list[bytes], list[bytes], int]:
    """Return lines that are UTF-8, lines that are not, and the number of all lines read."""
    total = 0
    right: list[bytes] = []
    wrong: list[bytes] = []
    rest, chunk = b"", head
    while chunk and len(right) + len(wrong) < ENOUGH_LINES:
        total += chunk.count(b"\n") or chunk.count(b"\r")
        block = rest + chunk
        *complete, rest = [b""] if block.isascii() else _LINE.split(block)
        for line in complete:
            if not line.isascii():
                (right if _is_utf_8(line) else wrong).append(line)
        chunk = file.read(CHUNK)
    if not rest.isascii() and not chunk:
        (right if _is_utf_8(rest) else wrong).append(rest)
    return right, wrong, total


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
    if min(high, low) > 0.1 * max(high, low):
        return ""
    name = "utf-16-be" if high > low else "utf-16-le"
    if _is_utf_8(head[:-4]):  # Latin script in UTF-16 is UTF-8 with many zeros
        return name if max(high, low) > MIN_ZERO_SHARE * units else ""
    return name if "\n" in head.decode(name, "replace") and max(high, low) > 1 else ""


def _older(sample: bytes) -> str:
    """Return the codec of a text of which lines are not UTF-8."""
    found = chardet.detect(sample, encoding_era=EncodingEra.MODERN_WEB)
    name = codecs.lookup(found["encoding"] or WESTERN).name
    if name in _LATIN:
        unsure = found["confidence"] < MIN_CONFIDENCE
    else:  # letters of other scripts stand together, those with accents stand alone
        runs = _BEYOND_ASCII.findall(sample)
        unsure = name in _OTHER_SCRIPTS and sum(map(len, runs)) < 2 * len(runs)
    if unsure or name in {"iso8859-1", "utf-8", "ascii"}:
        name = WESTERN
    try:
        sample.decode(name)
    except UnicodeDecodeError:
        return "latin-1" if name == WESTERN else name
    return name


def not_encoded(encoding: str) -> str:
    """Return the reason why a row with `UNDECODABLE` bytes can't be used."""
    return f"it is not {encoding}; name another encoding with --encoding"


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
        yield from _decoded(decoder, file, encoding)


def _is_wide(encoding: str) -> bool:
    return encoding.startswith(("utf-16", "utf-32"))


def _recoded(file: IO[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in _decoded(decoder, file, encoding):
        yield piece.encode("utf-8", "replace")


def _decoded(decoder: codecs.IncrementalDecoder, file: IO[bytes], encoding: str) -> Iterator[str]:
    """Decode a file in pieces.

    Raises
    ------
    TableError
        The file is in another encoding: a mark of its bytes' order is missing, for example.
    """
    try:
        while chunk := file.read(CHUNK):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise TableError(
            f"the file can't be read as {encoding} ({error}); give another --encoding, such as"
            " utf-16-le"
        ) from error


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
