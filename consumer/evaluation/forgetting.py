"""What a model once knew of held-out documents, and knows no more."""

import math
from collections.abc import Mapping
from typing import Any

COMPARABLE = 2
"""A best recall is of at least one in so many of today's documents; of fewer, chance speaks."""


class Forgetting:
    """Best recall of each label so far, minus that of now.

    Chaudhry et al. (2018), "Riemannian walk for incremental learning", with labels for tasks and
    the latest examination among those that the best is of, so that nothing is below 0:

        f_j = max(a_1j, ..., a_kj) - a_kj        F = mean of f_j over the labels j

    where a_ij is the recall of label j in examination i of k. A label that is examined for the
    first time, known to the model or not, has a forgetting of 0.
    """

    def __init__(self) -> None:
        self.best: dict[str, float] = {}
        """Best recall, by label."""
        self._of: dict[str, int] = {}
        self._now: dict[str, float] = {}

    def update(self, recall: Mapping[str, float], documents: Mapping[str, int]) -> None:
        """Take in an examination: the recall of each label, and of how many documents it is."""
        for label, now in recall.items():
            few = COMPARABLE * self._of.get(label, 0) < documents[label]
            if few or now >= self.best[label]:
                self.best[label], self._of[label] = now, documents[label]
        self._now = dict(recall)

    @property
    def by_label(self) -> dict[str, float]:
        """Forgetting of the labels that were examined last."""
        return {label: self.best[label] - now for label, now in self._now.items()}

    @property
    def mean(self) -> float:
        """Forgetting, mean over these labels; `nan` where there are none."""
        forgotten = self.by_label.values()
        return sum(forgotten) / len(forgotten) if forgotten else math.nan

    def state_dict(self) -> dict[str, Any]:
        """Return the bests, and of how many documents they are."""
        return {"best": dict(self.best), "best_of": dict(self._of)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.best = {label: float(recall) for label, recall in state["best"].items()}
        self._of = {label: int(state["best_of"][label]) for label in self.best}
