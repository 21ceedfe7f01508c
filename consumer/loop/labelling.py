"""Pair documents with their labels, which arrive with the documents, later or earlier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from consumer.evaluation.evaluator import Prediction
from consumer.evaluation.scores import Scores
from consumer.kafka.batch import Batch, Origin
from consumer.kafka.label_order import ByTime, LabelOrder
from consumer.labels import LabelSet
from consumer.learners.prediction import PredictedBatch
from newsreel.common.errors import UserError
from newsreel.events.document import Document


class LabelOutcome(StrEnum):
    """What became of a late label, or of a pending document; a closed set, fit for a metric."""

    JOINED = "joined"
    REPEATED = "repeated"
    CONFLICTING = "conflicting"
    ORPHANED = "orphaned"
    EXPIRED = "expired"
    AMBIGUOUS = "ambiguous"


class OrphanReason(StrEnum):
    """Why a late label is not joined; a closed set, fit for a metric."""

    EXPIRED = "document-expired"
    NO_DOCUMENT = "no-document"


class Orphan(NamedTuple):
    """A late label that is not joined."""

    id: str
    """Id of the document that the label names."""
    reason: OrphanReason


class PendingDocumentsError(UserError):
    """A checkpoint holds pending documents, and late labels are not read."""


@dataclass(frozen=True, slots=True)
class JoinedLabel:
    """A document with its late label."""

    prediction: Prediction
    """Prediction made when the document arrived."""
    origin: Origin
    """Place of the document in its topic."""
    seconds: float | None
    """Seconds from the document's record to the label's record; None if not known."""


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """What a batch adds to scoring and learning, in the order of the stream."""

    ready: Sequence[tuple[Document, Origin]]
    """Documents to learn from, and their places in the topic."""
    scored: Sequence[Prediction]
    """Predictions, made on arrival, whose labels are known now."""
    joined: Sequence[JoinedLabel]
    """Documents whose label arrived late, in this batch."""
    outcomes: Mapping[LabelOutcome, int]
    """Number of late labels and of expired documents, by outcome."""
    pending: int
    """Number of documents that still wait for their labels."""
    early: int = 0
    """Number of labels that still wait for their documents."""
    orphans: Sequence[Orphan] = ()
    """Late labels that are not joined, in this batch."""


class Labelling(Protocol):
    """Pairs documents with their labels."""

    late: bool
    """Whether labels may arrive later than their documents."""
    positions: Mapping[int, int]
    """Next offset to read of the topic of labels, by partition."""

    @property
    def alignment(self) -> LabelOrder:
        """Order in which documents and labels are read."""
        ...

    def expects(self, id_: str) -> bool:
        """Return whether a label waits for the document of an id."""
        ...

    def take(
        self,
        batch: Batch,
        predicted: PredictedBatch,
        predictions: Sequence[Prediction],
        labels: LabelSet,
    ) -> LabelledBatch:
        """Return what can be scored and learned now that a batch has been predicted.

        Parameters
        ----------
        batch
            Documents, and labels that arrived.
        predicted
            Predictions of the documents, by the numbers of the labels.
        predictions
            The same predictions, by the names of the labels.
        labels
            Numbers and names.
        """
        ...

    def repredict(self, predictions: Sequence[Prediction]) -> None:
        """Score predictions made just before their documents are learned."""
        ...

    def repredicted_scores(self) -> Scores | None:
        """Return the scores of the last 1000 such predictions; None where labels are not late."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the state that future batches depend on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


class ImmediateLabels:
    """Labelling where each document carries its label, or has none."""

    late = False

    def __init__(self) -> None:
        self.positions: Mapping[int, int] = {}
        self.alignment = ByTime()

    def expects(self, id_: str) -> bool:  # noqa: ARG002 - of the protocol
        """Return False: no label waits."""
        return False

    def take(
        self,
        batch: Batch,
        predicted: PredictedBatch,  # noqa: ARG002
        predictions: Sequence[Prediction],
        labels: LabelSet,  # noqa: ARG002
    ) -> LabelledBatch:
        """Return all documents to learn from, and the predictions of the labelled ones."""
        return LabelledBatch(
            ready=list(zip(batch.documents, batch.origins, strict=True)),
            scored=[each for each in predictions if each.document.label is not None],
            joined=[],
            outcomes={},
            pending=0,
        )

    def repredict(self, predictions: Sequence[Prediction]) -> None:
        """Do nothing: the predictions equal those made on arrival."""

    def repredicted_scores(self) -> Scores | None:
        """Return None: no prediction is made twice."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return that no document is pending."""
        return {"documents": []}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises
        ------
        PendingDocumentsError
            The state holds pending documents.
        """
        if state["documents"]:
            raise PendingDocumentsError(
                f"{len(state['documents'])} documents of this checkpoint wait for their labels;"
                " start with --late-labels"
            )
