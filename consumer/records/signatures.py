"""Tell what the bytes of a value are, where they are not what was expected."""

import struct
from typing import NamedTuple

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
    b"\x80\x04\x95": "a Python pickle",
    b"Obj\x01": "an Avro file",
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}

BRACKETS = (b"{", b"[")


class Signature(NamedTuple):
    """What a value is."""

    kind: str
    """``compressed``, ``registry-json``, ``registry-binary``, ``xml`` or ``other``."""
    description: str
    advice: str
    """What to do, for a message."""


def recognize(value: bytes) -> Signature | None:
    """Return what a value is by its first bytes; None if they are those of no known format."""
    for magic, name in COMPRESSED.items():
        if value.startswith(magic):
            return Signature(
                "compressed",
                f"compressed with {name} by the program that wrote it",
                "let that program set Kafka's compression.type instead, or publish it decompressed",
            )
    for magic, name in OTHERS.items():
        if value.startswith(magic):
            return Signature("other", name, "publish the text itself, as JSON or text in UTF-8")
    if len(value) > REGISTRY_BYTES and value[0] == 0:
        (schema,) = struct.unpack(">I", value[1:REGISTRY_BYTES])
        begins = f"the five bytes of a schema registry (schema {schema})"
        if value[REGISTRY_BYTES:].lstrip()[:1] in BRACKETS:
            return Signature(
                "registry-json",
                f"{begins} and JSON",
                "read it with --format json-registry",
            )
        return Signature(
            "registry-binary",
            f"{begins} and Avro or another binary format",
            "read Avro with --format avro --schema-registry URL",
        )
    if value.lstrip()[:1] == b"<":
        return Signature("xml", "XML or HTML", "read it as it is with --format text")
    return None
