"""Note in a folder of checkpoints which of them was committed last.

The group's offsets say so themselves, as long as they name a checkpoint: Kafka's tools set offsets
without such a name.
"""

import json
from contextlib import suppress
from pathlib import Path

from newsreel.common.json_file import replace_file

NOTE = ".committed.json"


def note_committed(folder: Path, id_: str | None) -> None:
    """Note the id of the last committed checkpoint; None if nothing was committed yet.

    A folder that can't be written to must not make a commit fail that has succeeded.
    """
    try:
        replace_file(folder / NOTE, json.dumps(id_ or ""))
    except OSError:
        with suppress(OSError):
            (folder / NOTE).unlink(missing_ok=True)  # no note is better than an old one


def last_noted(folder: Path) -> str | None:
    """Return the noted id: empty if nothing was committed, None if there is no note."""
    try:
        found = json.loads((folder / NOTE).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, str) else None
