"""What a value is, by its first bytes."""

import json

import pytest

from consumer.records.signatures import recognize


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        (b"\x1f\x8b\x08", "compressed", "gzip"),
        (b"\x28\xb5\x2f\xfd\x04", "compressed", "zstd"),
        (b"\x04\x22\x4d\x18", "compressed", "lz4"),
        (b"\xfd7zXZ\0", "compressed", "xz"),
        (b"BZh91AY", "compressed", "bzip2"),
        (b"\0\0\0\0\x2a{}", "registry-json", "(schema 42) and JSON"),
        (b"\0\0\0\0\x2a [1]", "registry-json", "JSON"),
        (b"\0\0\0\0\x2a\x02a", "registry-binary", "Avro or another binary format"),
        (b"\0\0\0\0\0\0\0\0\x2a\x02a", "registry-binary", "Avro"),
        (b"PAR1", "other", "a Parquet file"),
        (b"PK\x03\x04", "other", "a zip archive"),
        (b"\xff\xfea\0", "other", "UTF-16"),
        (b"{\0}\0", "other", "UTF-16"),
        (b"\0{\0}", "other", "UTF-16"),
        (b"\x80\x05K\x07.", "other", "a Python pickle"),
        (b"<?xml?>", "xml", "XML or HTML"),
        (b"  <p>", "xml", "XML or HTML"),
        (b"\x0a\x05hello", "binary", "such as 0a 05 68 65 6c 6c 6f"),
        (b"\x82\xa4text\x01", "binary", "bytes of an unknown format"),
    ],
)
def test_known(value: bytes, kind: str, says: str) -> None:
    """Compressed values, those of registries, and other formats are recognized."""
    found = recognize(value)
    assert found is not None
    assert found.kind == kind
    assert says in found.description
    assert found.advice


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"hello\r\n\tworld\x0c",
        b"\x1b[1mbold",
        "läufer".encode(),
        "läufer".encode("latin-1"),
        json.dumps({"a": "\x01"}).encode(),
        b'{"a": "\x01"}',
    ],
)
def test_unknown(value: bytes) -> None:
    """Text, and JSON that is not valid, are nothing else."""
    assert recognize(value) is None
