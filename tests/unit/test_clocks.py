"""Only timestamps depend on wall clocks, which can jump."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT

WALL_CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}


def read(path: Path) -> Iterator[str]:
    """Yield the names of the wall clocks that a module reads."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in WALL_CLOCKS:
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{name.name}" for name in node.names if name.name == "time")


@pytest.mark.parametrize("package", ["consumer", "newsreel"])
def test_wall_clocks_give_timestamps_only(package: str) -> None:
    """Intervals, leases and retries use a clock that never goes back."""
    timestamps = {
        "consumer/commit/writer.py": ["datetime.now", "datetime.now"],
        "consumer/kafka/config.py": ["datetime.now"],
        "consumer/monitoring/learning_metrics.py": ["time.time"],
        "newsreel/events/document.py": ["datetime.now"],
        "newsreel/events/label.py": ["datetime.now"],
    }
    found = {
        str(path.relative_to(ROOT)): list(read(path))
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    expected = {name: clocks for name, clocks in timestamps.items() if name.startswith(package)}
    assert {name: clocks for name, clocks in found.items() if clocks} == expected
