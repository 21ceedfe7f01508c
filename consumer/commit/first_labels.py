"""Note where a new group begins in the topic of labels.

Until its first checkpoint, a group's offsets say where it began in the topic of documents only. A
group that is killed before then, and started again with ``--from latest``, would skip the labels
that were written meanwhile.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from newsreel.common.json_file import replace_file

NOTE = ".labels.json"


def first_labels(
    folder: Path, group: str, topic: str, ask: Callable[[], Mapping[int, int]], *, begun: bool
) -> Mapping[int, int]:
    """Return the first offset of labels to read, by partition.

    Parameters
    ----------
    folder
        Folder of checkpoints, which keeps the answer.
    group, topic
        Consumer group, and topic of labels.
    ask
        Returns where the group would begin now.
    begun
        Whether the group has begun before: then the answer of that time stands.
    """
    about = {"group": group, "topic": topic}
    noted = _noted(folder / NOTE, about) if begun else None
    if noted is not None:
        return noted
    positions = ask()
    with suppress(OSError):  # then a start after a kill asks again
        replace_file(folder / NOTE, json.dumps({**about, "positions": positions}))
    return positions


def _noted(path: Path, about: Mapping[str, str]) -> Mapping[int, int] | None:
    try:
        found = json.loads(path.read_text())
        if any(found[name] != value for name, value in about.items()):
            return None
        return {int(partition): int(offset) for partition, offset in found["positions"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
