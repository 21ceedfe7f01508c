"""A small corpus and a tiny default encoder for the benchmarks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from newsgroups import use_tiny_encoder, write_posts


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """Write posts of two groups, with headers and a quote."""
    return write_posts(tmp_path)


@pytest.fixture
def tiny_encoder(monkeypatch: pytest.MonkeyPatch, encoder: Path) -> None:
    """Make the tiny encoder the consumer's default."""
    use_tiny_encoder(monkeypatch, encoder)


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Undo the logging of programs that ran in this process: their standard error is closed."""
    yield
    structlog.reset_defaults()
