"""The examples in docstrings run and print the results that they show."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("consumer", "newsreel", "producer")
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>>" in path.read_text()
]


def test_there_are_examples() -> None:
    """The search for examples finds the modules that have some."""
    assert "producer.scenarios.plan" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All examples of a module pass; they may write to the current folder."""
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(
        importlib.import_module(name),
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS,
    )
    assert failed == 0
    assert attempted > 0
