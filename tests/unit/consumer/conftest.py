"""A stream and a learner simple enough to know what must come of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from consumer.evaluation import Evaluator
from consumer.labels import LabelSet
from consumer.micro_batch import MicroBatch
from consumer.prequential import Step, run
from consumer.replay import Reservoir
from consumer.source import Batch, DeadLetter
from events.document import Document


class Frequencies:
    """A learner that predicts how often each label was learned, and records what it is asked."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.calls: list[tuple[str, list[str]]] = []

    @property
    def lessons(self) -> list[list[str]]:
        """The ids of the documents of each learning step."""
        return [ids for what, ids in self.calls if what == "learn"]

    def predict_proba_many(self, documents: Sequence[Document]) -> NDArray[np.float32]:
        self.calls.append(("predict", [document.id for document in documents]))
        row = [self.counts[number] for number in range(max(self.counts, default=-1) + 1)]
        rows = np.array([row] * len(documents), dtype=np.float32)
        return rows / max(1, self.counts.total())

    def learn_many(self, documents: Sequence[Document], targets: Sequence[int]) -> float:
        self.calls.append(("learn", [document.id for document in documents]))
        self.counts.update(targets)
        return 1.0 / len(documents)

    def describe(self) -> dict[str, Any]:
        return {"learner": "frequencies"}

    def state_dict(self) -> dict[str, Any]:
        return {"counts": {str(number): count for number, count in self.counts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts = Counter({int(number): count for number, count in state["counts"].items()})


class Listed:
    """A source of documents at hand, delivered in groups of the given sizes, then of any."""

    def __init__(
        self,
        documents: Iterable[Document],
        labels: LabelSet,
        groups: Iterable[int] = (),
        dead_letters: Sequence[DeadLetter] = (),
        *,
        ends: bool = True,
    ) -> None:
        self._left = list(documents)
        self._labels = labels
        self._groups = iter(groups)
        self._dead_letters = dead_letters
        self._ends = ends
        self._read = 0
        self._over = False

    def read(self, at_most: int) -> Batch | None:
        if self._over or at_most < 1 or (not self._left and not self._ends):
            return None
        count = min(at_most, next(self._groups, at_most))
        documents, self._left = self._left[:count], self._left[count:]
        for document in documents:
            if document.label is not None:
                self._labels.add(document.label)
        self._read += len(documents)
        self._over = not self._left and self._ends
        dead_letters, self._dead_letters = self._dead_letters, ()
        return Batch(
            documents, dead_letters, {0: self._read}, {0: len(self._left)}, last=self._over
        )


class Consumer:
    """The loop with all its parts but Kafka's."""

    def __init__(
        self,
        batch_size: int = 4,
        replay_ratio: float = 1.0,
        capacity: int = 50,
        learner: Any = None,
    ) -> None:
        self.learner = learner or Frequencies()
        self.replay = Reservoir(capacity, seed=0)
        self.evaluator = Evaluator()
        self.labels = LabelSet(limit=1000)
        self.micro_batch = MicroBatch(batch_size)
        self.replay_ratio = replay_ratio

    @property
    def parts(self) -> dict[str, Any]:
        return {
            "learner": self.learner,
            "replay": self.replay,
            "evaluator": self.evaluator,
            "labels": self.labels,
            "micro_batch": self.micro_batch,
        }

    def read(
        self, documents: Iterable[Document], clock: Callable[[], float] | None = None, **how: Any
    ) -> list[Step]:
        """Run the loop over documents and return its steps."""
        return list(
            run(
                Listed(documents, self.labels, **how),
                self.learner,
                self.replay,
                self.evaluator,
                self.labels,
                self.micro_batch,
                self.replay_ratio,
                **({} if clock is None else {"clock": clock}),
            )
        )


@pytest.fixture(scope="session")
def consumer() -> type[Consumer]:
    """Build consumers: ``consumer(batch_size=4).read(documents)``."""
    return Consumer


@pytest.fixture(scope="session")
def numbered() -> Callable[[Iterable[str | None]], list[Document]]:
    """Make documents, numbered from 0, of the given labels."""

    def make(labels: Iterable[str | None]) -> list[Document]:
        return [
            Document(str(number), f"text {number}", label) for number, label in enumerate(labels)
        ]

    return make
