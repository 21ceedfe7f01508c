"""Measure the memory of this process."""

import resource
import sys


def peak_rss_mb() -> float:
    """Return the largest resident size of this process so far, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
