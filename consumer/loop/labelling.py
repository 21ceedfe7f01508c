"""When the label of a document is known: with the document, or later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from consumer.evaluation.evaluator import Prediction
from consumer.evaluation.scores import Scores
from consumer.kafka.batch import Batch, Origin
from consumer.labels import LabelSet
from consumer.learners.prediction import PredictedBatch, with_names
from newsreel.common.errors import UserError
from newsreel.events.document import Document


class LabelOutcome(StrEnum):
    """What becomes of a label that comes, or of a document that waits: fit for a metric label."""

    JOINED = "joined"
    REPEATED = "repeated"
    CONFLICTING = "conflicting"
    ORPHANED = "orphaned"
    EXPIRED = "expired"


class PendingDocumentsError(UserError):
    """Documents wait for labels that nobody would read."""


@dataclass(frozen=True, slots=True)
class JoinedLabel:
    """A document whose label has come, as it was predicted at arrival.

    Both were written ``seconds`` apart, as far as that is known.
    """

    prediction: Prediction
    origin: Origin
    seconds: float | None


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """What a batch brings: ``ready`` to be learned, ``scored`` as predicted at arrival.

    Both are in the order of the stream. ``joined`` are those that had to wait; ``fates`` count
    labels that came by themselves, and documents that waited in vain.
    """

    ready: Sequence[tuple[Document, Origin]]
    scored: Sequence[Prediction]
    joined: Sequence[JoinedLabel]
    fates: Mapping[LabelOutcome, int]


class Labelling(Protocol):
    """What the loop needs to cope with labels that come later.

    ``late`` says whether documents may wait, ``positions`` where the topic of labels goes on, by
    partition.
    """

    late: bool
    positions: Mapping[int, int]

    def __len__(self) -> int:
        """Return how many documents wait."""
        ...

    def take(self, batch: Batch, arrived: PredictedBatch, labels: LabelSet) -> LabelledBatch:
        """Take in a batch, and what was predicted of its documents."""
        ...

    def repredicted(self, predictions: Sequence[Prediction]) -> None:
        """Take in predictions that were made just before their documents are learned."""
        ...

    def scores(self) -> Scores | None:
        """Return the scores of these, over the last 1000; None where no document ever waits."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that its future depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


class ImmediateLabels:
    """Every document comes with its label, or has none."""

    late = False

    def __init__(self) -> None:
        self.positions: Mapping[int, int] = {}

    def __len__(self) -> int:
        """Return that none waits."""
        return 0

    def take(self, batch: Batch, arrived: PredictedBatch, labels: LabelSet) -> LabelledBatch:
        """Score and learn what has arrived."""
        ready = list(zip(batch.documents, batch.origins, strict=True))
        scored = [said for said in with_names(arrived, labels) if said.document.label is not None]
        return LabelledBatch(ready, scored, [], {})

    def repredicted(self, predictions: Sequence[Prediction]) -> None:
        """Change nothing: they are those made at arrival."""

    def scores(self) -> Scores | None:
        """Return that there are none."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return that none waits."""
        return {"documents": []}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises
        ------
        WaitingError
            Some wait.
        """
        if state["documents"]:
            raise PendingDocumentsError(
                f"{len(state['documents'])} documents of this checkpoint wait for their labels;"
                " start with --late-labels"
            )
