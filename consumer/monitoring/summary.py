"""The file that a run leaves its results in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from newsreel.common.errors import UserError

SHOWN = (
    "documents",
    "labels",
    "pending_documents",
    "prequential_accuracy",
    "heldout_accuracy",
    "dead_letters",
)
"""What the log says of them."""


class SummaryError(UserError):
    """The summary can't be written."""


def check_writable(path: Path) -> None:
    """Create the file and its folder where they are missing.

    Raises
    ------
    SummaryError
        They can't be.
    """
    with _told_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()


def write(path: Path, summary: dict[str, Any]) -> None:
    """Write a summary.

    Raises
    ------
    SummaryError
        It can't be written.
    """
    with _told_of(path):
        path.write_text(json.dumps(summary, indent=2) + "\n")


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SummaryError(
            f"can't write {str(path)!r} ({error.strerror}); name another file with --summary"
        ) from error
