"""A small file of JSON, written whole or not at all, that outlives the process that writes it.

It is not synced: it has to survive the process, not the machine.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()


class JsonFile:
    """A file that is written again and again; that it can't be is told once.

    Parameters
    ----------
    path
        Where.
    content
        What is in it, for who reads the log.
    """

    def __init__(self, path: Path, content: str) -> None:
        self._path = path
        self._content = content
        self._unwritable = False

    def write(self, value: Any) -> None:
        """Put a value in place of what there was."""
        try:
            replace_file(self._path, json.dumps(value))
        except OSError as error:
            if not self._unwritable:
                log.warning(
                    "not written, and will not outlive this process",
                    content=self._content,
                    file=self._path,
                    error=error.strerror,
                )
            self._unwritable = True


def replace_file(path: Path, text: str) -> None:
    """Write a text file in one step: readers find the old content or the new one, whole."""
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def without_nan(value: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: what isn't known is null."""

    def clean(item: Any) -> Any:
        match item:
            case dict():
                return {key: clean(inner) for key, inner in item.items()}
            case list() | tuple():
                return [clean(inner) for inner in item]
            case float() if not math.isfinite(item):
                return None
        return item

    cleaned: dict[str, Any] = clean(value)
    return cleaned
