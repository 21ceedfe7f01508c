"""Forgetting: the loss of recall on held-out documents since the best evaluation."""

import math
from collections.abc import Mapping
from typing import Any

COMPARABLE = 2
"""Maximum ratio of a label's current documents to the documents of its best recall.

A best recall of fewer documents is too much a matter of chance and is replaced.
"""


class Forgetting:
    """Best recall of each label so far, minus the current recall.

    Chaudhry et al. (2018), "Riemannian walk for incremental learning", with labels in place of
    tasks. The best recall includes the current evaluation, so that forgetting is never negative:

        f_j = max(a_1j, ..., a_kj) - a_kj        F = mean of f_j over the labels j

    where a_ij is the recall of label j in evaluation i of k. The forgetting of a label in its first
    evaluation is 0.
    """

    def __init__(self) -> None:
        self.best: dict[str, float] = {}
        """Best recall by label."""
        self._best_documents: dict[str, int] = {}
        self._current: dict[str, float] = {}

    def update(self, recall: Mapping[str, float], documents: Mapping[str, int]) -> None:
        """Add an evaluation: the recall and the number of documents of each label."""
        for label, current in recall.items():
            incomparable = COMPARABLE * self._best_documents.get(label, 0) < documents[label]
            if incomparable or current >= self.best[label]:
                self.best[label], self._best_documents[label] = current, documents[label]
        self._current = dict(recall)

    @property
    def by_label(self) -> dict[str, float]:
        """Forgetting of each label of the latest evaluation."""
        return {label: self.best[label] - current for label, current in self._current.items()}

    @property
    def mean(self) -> float:
        """Mean forgetting over the labels of the latest evaluation; `nan` without labels."""
        forgotten = self.by_label.values()
        return sum(forgotten) / len(forgotten) if forgotten else math.nan

    def state_dict(self) -> dict[str, Any]:
        """Return the best recalls, and the number of documents of each."""
        return {"best": dict(self.best), "best_of": dict(self._best_documents)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.best = {label: float(recall) for label, recall in state["best"].items()}
        self._best_documents = {label: int(state["best_of"][label]) for label in self.best}
