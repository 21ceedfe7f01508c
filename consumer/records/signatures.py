"""Tell what the bytes of a value are, where they are not what was expected."""

import re
import struct
from typing import NamedTuple

BEGINNING = 100
"""Bytes of a value that are searched for those that are in no text."""

SHOWN_BYTES = 16

REGISTRY_BYTES = 5
"""A zero byte and the number of a schema in four bytes begin the value of a registry's client."""

COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"\x82SNAPPY\x00": "snappy",
    b"BZh": "bzip2",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
    b"\x78\x01": "zlib",
    b"\xfd7zXZ": "xz",
}

OTHERS = {
    b"\xac\xed\x00\x05": "an object serialized by Java",
    b"Obj\x01": "an Avro file",
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}

PATTERNS = {
    re.compile(rb"\x80[\x02-\x05].*\.$", re.DOTALL): "a Python pickle",
    # Two characters of ASCII; the byte-order mark is missing.
    re.compile(rb"([\x09-\x7e]\0){2}|(\0[\x09-\x7e]){2}"): "text in UTF-16",
}

BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes that are in no text."""

BRACKETS = (b"{", b"[")


PUBLISH_TEXT = "publish the text itself, as JSON or text in UTF-8"


class Signature(NamedTuple):
    """What a value is."""

    kind: str
    """``compressed``, ``registry-json``, ``registry-binary``, ``xml``, ``binary``, ``other``."""
    description: str
    advice: str
    """What to do, for a message."""


def recognize(value: bytes) -> Signature | None:
    """Return what a value is by its first bytes; None if they are those of no known format."""
    found = _by_magic(value) or _of_registry(value)
    if found is not None:
        return found
    first = value.lstrip()[:1]
    if first == b"<":
        return Signature("xml", "XML or HTML", "read it as it is with --format text")
    if BINARY.search(value[:BEGINNING]) and first not in BRACKETS:
        shown = value[:SHOWN_BYTES].hex(" ")
        return Signature("binary", f"bytes of an unknown format, such as {shown}", PUBLISH_TEXT)
    return None


def _by_magic(value: bytes) -> Signature | None:
    for magic, name in COMPRESSED.items():
        if value.startswith(magic):
            return Signature(
                "compressed",
                f"compressed with {name} by the program that wrote it",
                "let that program set Kafka's compression.type instead, or publish it decompressed",
            )
    for magic, name in OTHERS.items():
        if value.startswith(magic):
            return Signature("other", name, PUBLISH_TEXT)
    for pattern, name in PATTERNS.items():
        if pattern.match(value):
            return Signature("other", name, PUBLISH_TEXT)
    return None


def _of_registry(value: bytes) -> Signature | None:
    if len(value) <= REGISTRY_BYTES or value[0] != 0:
        return None
    (schema,) = struct.unpack(">I", value[1:REGISTRY_BYTES])
    begins = f"the five bytes of a schema registry (schema {schema})"
    if value[REGISTRY_BYTES:].lstrip()[:1] in BRACKETS:
        return Signature(
            "registry-json", f"{begins} and JSON", "read it with --format json-registry"
        )
    return Signature(
        "registry-binary",
        f"{begins} and Avro or another binary format",
        "read Avro with --format avro --schema-registry URL",
    )
