"""Counters that go on where they were last seen, however a consumer ended.

A counter that falls is taken for one that began anew, and the whole of it for an increase: after a
crash, one that was restored from the last commit would show work that was never done. So what is
about to be shown is written down first, and a new start adds to that. Commits write it down, too:
where nobody reads, no more is lost than is learned again.
"""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import structlog

from consumer.monitoring.families import Counts
from newsreel.common.json_file import JsonFile

COUNTER_FILE = ".counters.json"

log = structlog.get_logger()


class CounterFile:
    """Counters in a file, which is written by the consumer that learns.

    Parameters
    ----------
    file
        Where.
    fenced
        Returns whether another consumer holds the lease: then the file belongs to that consumer.
    """

    def __init__(self, file: Path, fenced: Callable[[], bool] = lambda: False) -> None:
        self._file = file
        self._written = JsonFile(file, "counters")
        self._fenced = fenced
        self._writing = Lock()

    def write(self, counts: Callable[[], Counts]) -> None:
        """Write counters down, all or none."""
        with self._writing:
            if self._fenced():
                return
            rows = [
                [name, *labels, value]
                for name, values in counts().items()
                for labels, value in values.items()
            ]
            self._written.write(rows)

    def read(self) -> Counts:
        """Return what was written down; nothing if there is none, or it can't be read."""
        counts: dict[str, dict[tuple[str, ...], float]] = {}
        try:
            for name, *labels, value in json.loads(self._file.read_text()):
                counts.setdefault(str(name), {})[tuple(map(str, labels))] = max(0.0, float(value))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            log.warning("counters begin anew", because=str(error))
            return {}
        return counts
