"""Small JSON files that are replaced atomically, and JSON values without NaN.

The files survive a crash of the process, not of the machine: they are not synced to disk.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()


class JsonFile:
    """Replaces the content of one JSON file atomically.

    Parameters
    ----------
    path
        Path of the file.
    content
        Name of the content in log lines, such as ``counters``.
    """

    def __init__(self, path: Path, content: str) -> None:
        self._path = path
        self._content = content
        self._warned = False

    def write(self, value: Any) -> None:
        """Replace the file's content with a value; log only the first failure to do so."""
        try:
            replace_file(self._path, json.dumps(value))
        except OSError as error:
            if not self._warned:
                log.warning(
                    "not written, and will not outlive this process",
                    content=self._content,
                    file=self._path,
                    error=error.strerror,
                )
            self._warned = True


def replace_file(path: Path, text: str) -> None:
    """Write a text file in one step: readers find the old content or the new one, whole."""
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def without_nan(value: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a JSON object with null for each NaN and infinity, which JSON lacks.

    Examples
    --------
    >>> without_nan({"accuracy": float("nan"), "curve": [(100, 0.25), (200, float("inf"))]})
    {'accuracy': None, 'curve': [[100, 0.25], [200, None]]}
    """

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
