"""Labels whose recall collapsed: the model recognized them before a change, and no longer does."""

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

HISTORY = 64
"""Number of the latest documents of each label that are considered."""

MIN_BEFORE = 8
"""Minimum number of a label's documents before the change."""

MIN_AFTER = 5
"""Minimum number of a label's documents after the change.

With fewer documents, a share of wrong labels alone can make every prediction a miss.
"""

SIGNIFICANCE = 0.001
"""Upper limit for the probability of the misses under an unchanged recall."""

MAX_RECALL_RATIO = 0.25
"""Upper limit for the recall after the change, as a share of the recall before the change."""


class RecallHistory:
    """Hits and misses of the latest documents of each label, with document numbers."""

    def __init__(self) -> None:
        self._hits: dict[str, deque[tuple[int, bool]]] = {}

    def add(self, label: str, number: int, *, hit: bool) -> None:
        """Add the outcome of a prediction: a hit or a miss."""
        self._hits.setdefault(label, deque(maxlen=HISTORY)).append((number, hit))

    def collapsed(self, since: int) -> list[str]:
        """Return the labels whose recall collapsed at document number ``since``.

        A label whose recall was low before, or that did not occur again, has not collapsed. New
        labels and labels that pause are therefore never returned.
        """
        return [label for label, hits in self._hits.items() if _collapsed(hits, since)]

    def forget(self, labels: Iterable[str]) -> None:
        """Remove the history of the given labels."""
        for label in labels:
            self._hits.pop(label, None)

    def state_dict(self) -> dict[str, Any]:
        """Return all hits and misses with their document numbers."""
        return {
            label: [[number, hit] for number, hit in hits] for label, hits in self._hits.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._hits = {
            label: deque(((int(number), bool(hit)) for number, hit in hits), maxlen=HISTORY)
            for label, hits in state.items()
        }


def _collapsed(hits: Iterable[tuple[int, bool]], since: int) -> bool:
    before = [hit for number, hit in hits if number < since]
    after = [hit for number, hit in hits if number >= since]
    if len(before) < MIN_BEFORE or len(after) < MIN_AFTER:
        return False
    recall = (sum(before) + 1) / (len(before) + 2)  # Laplace smoothing: never 0 or 1
    hits_after = sum(after)
    if hits_after > MAX_RECALL_RATIO * recall * len(after):
        return False
    return binomial_cdf(hits_after, len(after), recall) < SIGNIFICANCE


def binomial_cdf(successes: int, trials: int, probability: float) -> float:
    """Return the probability of at most ``successes`` successes in ``trials`` trials."""
    return sum(
        math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k)
        for k in range(successes + 1)
    )
