"""Counters that go on where they were last seen, however a consumer ended.

A counter that falls is taken for one that began anew, and the whole of it for an increase: after a
crash, one that was restored from the last commit would show work that was never done. So what is
about to be shown is written down first, and a new start adds to that. The file is not synced: it
has to survive the process, not the machine.
"""

import json
from pathlib import Path

import structlog

from consumer.metrics.families import Counts

NAME = ".counters.json"

log = structlog.get_logger()


def write(file: Path, counts: Counts) -> None:
    """Write counters down, all or none."""
    rows = [[name, *labels, value] for name, by in counts.items() for labels, value in by.items()]
    draft = file.with_suffix(".new")
    try:
        draft.write_text(json.dumps(rows))
        draft.replace(file)
    except OSError as error:
        log.debug("counters not written", error=error.strerror)  # a full disk is told of elsewhere


def read(file: Path) -> Counts:
    """Return what was written down; nothing if there is none, or it can't be read."""
    counts: dict[str, dict[tuple[str, ...], float]] = {}
    try:
        for name, *labels, value in json.loads(file.read_text()):
            counts.setdefault(str(name), {})[tuple(map(str, labels))] = max(0.0, float(value))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        log.warning("counters begin anew", because=str(error))
        return {}
    return counts
