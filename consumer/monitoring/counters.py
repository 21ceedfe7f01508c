"""Keep counters in a file, so that they continue from the last scrape however a consumer ends.

Prometheus takes a counter that falls for a counter that started again at 0, and its whole value for
an increase. A counter restored from the last commit would fall after a crash. So the counters are
written to a file before each scrape is answered, and a new start continues from the file. Each
commit writes the file, too: without scrapes, the counts lost are those of documents that are
learned again.
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
    """A file of counters, written by the consumer that learns.

    Parameters
    ----------
    file
        Path of the file.
    fenced
        Returns whether another consumer holds the lease: then the file belongs to that consumer.
    """

    def __init__(self, file: Path, fenced: Callable[[], bool] = lambda: False) -> None:
        self._file = file
        self._writer = JsonFile(file, "counters")
        self._fenced = fenced
        self._writing = Lock()

    def write(self, counts: Callable[[], Counts]) -> None:
        """Write all counters, unless another consumer holds the lease."""
        with self._writing:
            if self._fenced():
                return
            rows = [
                [name, *labels, value]
                for name, values in counts().items()
                for labels, value in values.items()
            ]
            self._writer.write(rows)

    def read(self) -> Counts:
        """Return the counters of the file; none if the file is missing or not readable."""
        counts: dict[str, dict[tuple[str, ...], float]] = {}
        try:
            for name, *labels, value in json.loads(self._file.read_text()):
                counts.setdefault(str(name), {})[tuple(map(str, labels))] = max(0.0, float(value))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            log.warning("counters start at 0, as their file is not readable", error=str(error))
            return {}
        return counts
