"""Labels that are not recognized any more, though they were."""

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

REMEMBERED = 64
"""Documents of each label that are looked at."""

FEWEST = 8
"""Documents of a label before a change, without which nothing can have collapsed."""

FEWEST_SINCE = 5
"""Documents of it since then: of fewer, all may be missed where a share of labels is just wrong."""

CHANCE = 0.001
"""How improbable the misses must be, had nothing changed."""

COLLAPSED = 0.25
"""A label has collapsed when its recall is no more than this share of what it was."""


class Recalls:
    """Hits and misses of the last documents of each label, with their numbers in the stream."""

    def __init__(self) -> None:
        self._hits: dict[str, deque[tuple[int, bool]]] = {}

    def add(self, label: str, number: int, *, hit: bool) -> None:
        """Take in a document."""
        self._hits.setdefault(label, deque(maxlen=REMEMBERED)).append((number, hit))

    def collapsed(self, since: int) -> list[str]:
        """Return labels whose recall from that document on is far below what it was before.

        A label that was seldom recognized, or did not come again, has not collapsed: so labels that
        are new, and those that stay away for a while, are safe.
        """
        return [label for label, hits in self._hits.items() if _collapsed(hits, since)]

    def forget(self, labels: Iterable[str]) -> None:
        """Begin anew with some labels."""
        for label in labels:
            self._hits.pop(label, None)

    def state_dict(self) -> dict[str, Any]:
        """Return all hits and misses."""
        return {
            label: [[number, hit] for number, hit in hits] for label, hits in self._hits.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._hits = {
            label: deque(((int(number), bool(hit)) for number, hit in hits), maxlen=REMEMBERED)
            for label, hits in state.items()
        }


def _collapsed(hits: Iterable[tuple[int, bool]], since: int) -> bool:
    before = [hit for number, hit in hits if number < since]
    after = [hit for number, hit in hits if number >= since]
    if len(before) < FEWEST or len(after) < FEWEST_SINCE:
        return False
    recall = (sum(before) + 1) / (len(before) + 2)  # Laplace's: none is certain
    found = sum(after)
    if found > COLLAPSED * recall * len(after):
        return False
    return at_most(found, len(after), recall) < CHANCE


def at_most(successes: int, trials: int, probability: float) -> float:
    """Return the probability of so many successes at most (binomial distribution)."""
    return sum(
        math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k)
        for k in range(successes + 1)
    )
