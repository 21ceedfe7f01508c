"""Clocks that people set may jump; nothing may depend on them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT

WALL_CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}


def read(path: Path) -> Iterator[str]:
    """Name the wall clocks that a module reads."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in WALL_CLOCKS:
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{name.name}" for name in node.names if name.name == "time")


@pytest.mark.parametrize("package", ["consumer", "service"])
def test_only_timestamps_are_read_from_the_clock(package: str) -> None:
    """Intervals, leases and retries use a clock that only goes forward."""
    found = {
        str(path.relative_to(ROOT)): list(read(path))
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    stamps = {
        "consumer": {
            "consumer/records.py": ["datetime.now", "datetime.now"],
            "consumer/metrics/learning.py": ["time.time"],
        },
        "service": {},
    }[package]
    assert {name: clocks for name, clocks in found.items() if clocks} == stamps
