"""Find the longest time without a commit in the logs of consumers."""

import math
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from pathlib import Path


def longest_gap(logs: Iterable[Path], ended: float = math.inf) -> float:
    """Return the longest time between two commits of a run, in seconds, over several starts.

    Zero if no run has two commits.

    Parameters
    ----------
    logs
        Logs of consumers; those of one run are in one folder.
    ended
        Time after which commits do not count, in seconds since 1970.
    """
    by_run: dict[Path, list[float]] = {}
    for log in sorted(logs):
        for line in log.read_text(errors="replace").splitlines():
            if "] committed" in line:
                moment = datetime.fromisoformat(line.split()[0]).timestamp()
                by_run.setdefault(log.parent, []).append(moment)
    gaps = (
        after - before
        for moments in by_run.values()
        for before, after in pairwise(moments)
        if after <= ended
    )
    return max(gaps, default=0.0)
