"""Labels that arrive later than their documents, or are read before them.

Grzenda et al. (2020), "Delayed labelling evaluation for data streams": a prediction is scored as it
was made on arrival, and once more as it would be made just before its label is learned.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from consumer.evaluation.evaluator import Evaluator, Prediction
from consumer.evaluation.scores import Scores
from consumer.kafka.batch import Batch, LabelRecord, Origin
from consumer.kafka.label_order import ByTime, LabelOrder
from consumer.labels import LabelSet
from consumer.learners.prediction import PredictedBatch, with_names
from consumer.loop import pending as pending_documents
from consumer.loop.alignment import Alignment
from consumer.loop.labelling import (
    JoinedLabel,
    LabelledBatch,
    LabelOutcome,
    Orphan,
    OrphanReason,
)
from consumer.loop.pending import PendingDocument
from consumer.loop.remembered import Remembered
from newsreel.events.document import Document

log = structlog.get_logger()


@dataclass(slots=True)
class _Taken:
    """What a batch adds, while it is being taken."""

    labels: LabelSet
    ready: list[tuple[Document, Origin]] = field(default_factory=list)
    scored: list[Prediction] = field(default_factory=list)
    joined: list[JoinedLabel] = field(default_factory=list)
    outcomes: Counter[LabelOutcome] = field(default_factory=Counter)
    orphans: list[Orphan] = field(default_factory=list)

    def join(self, pending: PendingDocument, label: str, written: float | None) -> None:
        """Add a document and its late label, whose record was written at a time."""
        seconds = None
        if pending.written is not None and written is not None and written >= pending.written:
            seconds = written - pending.written
        document = replace(pending.document, label=label)
        batch = PredictedBatch([document], [], pending.predictions, 0, 0.0)
        (prediction,) = with_names(batch, self.labels)
        self.outcomes[LabelOutcome.JOINED] += 1
        self.joined.append(JoinedLabel(prediction, pending.origin, seconds))
        self.scored.append(prediction)
        self.ready.append((document, pending.origin))

    def compare(self, label: str, first: str) -> None:
        """Count a label whose document has another label already."""
        same = label == first
        self.outcomes[LabelOutcome.REPEATED if same else LabelOutcome.CONFLICTING] += 1

    def orphan(self, id_: str, reason: OrphanReason) -> None:
        """Count a label that is not joined."""
        self.outcomes[LabelOutcome.ORPHANED] += 1
        self.orphans.append(Orphan(id_, reason))


class LateLabels:
    """Labelling that keeps documents until their labels are read, and labels until the documents.

    The first label of a document counts. A later label for the same document is ``repeated`` if it
    is equal and ``conflicting`` if it differs; neither changes anything, because learning can't be
    undone. A document that is published again while it is pending replaces itself. When more
    documents are pending than fit, the oldest one is ``expired``. Of more labels that wait than
    fit, the oldest one is ``orphaned``, and so is the label of a document that has expired.

    If two documents of different texts are pending with one id, or a document comes with the id of
    one that was labelled lately, no label of that id can be joined: these documents and all later
    ones of that id, and their labels, are ``ambiguous``.

    Parameters
    ----------
    capacity
        Largest number of pending documents, of labels that wait for their documents, of labelled or
        ambiguous ids that are remembered, and of expired ones.

    Attributes
    ----------
    alignment
        Order in which the topics of documents and labels are read.
    """

    late = True

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.positions: Mapping[int, int] = {}
        self.alignment: LabelOrder = Alignment(capacity)
        self._pending: OrderedDict[str, PendingDocument] = OrderedDict()
        self._early: Remembered[tuple[str, float | None]] = Remembered(capacity)
        self._labelled: Remembered[str | None] = Remembered(capacity)  # None: ambiguous
        self._past: Remembered[str | None] = Remembered(capacity)  # None: expired
        self._repredicted = Evaluator()
        self._warned = False

    def expects(self, id_: str) -> bool:
        """Return whether a label waits for the document of an id."""
        return id_ in self._early

    def take(
        self,
        batch: Batch,
        predicted: PredictedBatch,
        predictions: Sequence[Prediction],
        labels: LabelSet,
    ) -> LabelledBatch:
        """Return what can be scored and learned, after each document and label in stream order."""
        taken = _Taken(labels)
        self.positions = dict(batch.label_positions)

        def take_labels_after(documents: int) -> None:
            for record in batch.labels:
                if record.after == documents:
                    self._take_label(record, taken)

        take_labels_after(0)
        for row, document in enumerate(batch.documents):
            origin, written = batch.origins[row], batch.written[row]
            if document.label is None:
                prediction = predicted.predictions.of([row])
                self._keep(PendingDocument(document, prediction, origin, written), taken)
            else:
                self._compare_early(document.id, document.label, taken)
                taken.scored.append(predictions[row])
                taken.ready.append((document, origin))
            take_labels_after(row + 1)
        return LabelledBatch(
            taken.ready,
            taken.scored,
            taken.joined,
            taken.outcomes,
            len(self._pending),
            len(self._early),
            taken.orphans,
        )

    def _keep(self, pending: PendingDocument, taken: _Taken) -> None:
        """Join a document with a label that waits, or keep the document until its label comes."""
        document = pending.document
        other = self._pending.pop(document.id, None)
        early = self._early.pop(document.id)
        if document.id in self._labelled:  # a label that is repeated would be joined to it
            self._mark_ambiguous(document.id)
            taken.outcomes[LabelOutcome.AMBIGUOUS] += 1
        elif other is not None and other.document.text != document.text:
            self._mark_ambiguous(document.id)
            taken.outcomes[LabelOutcome.AMBIGUOUS] += 2
        elif early is not None:
            label, written = early
            self._labelled.add(document.id, label)
            taken.join(pending, label, written)
        else:
            self._pending[document.id] = pending
            if len(self._pending) > self._capacity:
                expired, _ = self._pending.popitem(last=False)
                self._past.add(expired, None)
                taken.outcomes[LabelOutcome.EXPIRED] += 1

    def _compare_early(self, id_: str, label: str, taken: _Taken) -> None:
        """Compare a document's own label with one that waits for the document."""
        self._past.add(id_, label)
        early = self._early.pop(id_)
        if early is not None:
            taken.compare(early[0], label)

    def _mark_ambiguous(self, id_: str) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "documents share an id, so their late labels can't be joined; name the place of an"
                " id that is unique with --id-field",
                id=id_,
            )
        self._labelled.add(id_, None)

    def _take_label(self, record: LabelRecord, taken: _Taken) -> None:
        """Join a label with its document, or keep the label until its document comes."""
        id_, label = record.label.id, record.label.label
        if id_ in self._labelled and self._labelled.get(id_) is None:
            taken.outcomes[LabelOutcome.AMBIGUOUS] += 1
            return
        pending = self._pending.pop(id_, None)
        if pending is not None:
            self._labelled.add(id_, label)
            taken.join(pending, label, record.written)
            return
        first = self._first_label(id_)
        if first is not None:
            taken.compare(label, first)
        elif id_ in self._past:
            taken.orphan(id_, OrphanReason.EXPIRED)
        else:
            forgotten = self._early.add(id_, (label, record.written))
            if forgotten is not None:
                taken.orphan(forgotten[0], OrphanReason.NO_DOCUMENT)

    def _first_label(self, id_: str) -> str | None:
        """Return the label that an id has had first; None if there is none."""
        early = self._early.get(id_)
        if early is not None:
            return early[0]
        return self._labelled.get(id_) or self._past.get(id_)

    def repredict(self, predictions: Sequence[Prediction]) -> None:
        """Score predictions made just before their documents are learned."""
        self._repredicted.update(predictions)

    def repredicted_scores(self) -> Scores | None:
        """Return the scores of the last 1000 such predictions."""
        return self._repredicted.scores().window

    def state_dict(self) -> dict[str, Any]:
        """Return pending documents with their predictions, labels that wait, and ids of the past.

        The label of an id that is ambiguous, or whose document has expired, is None.
        """
        return pending_documents.pack(list(self._pending.values())) | {
            "early": [[id_, *label] for id_, label in self._early.items()],
            "labelled": [list(pair) for pair in self._labelled.items()],
            "past": [list(pair) for pair in self._past.items()],
            "positions": {str(number): offset for number, offset in self.positions.items()},
            "again": self._repredicted.state_dict(),
            "alignment": self.alignment.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Of more pending documents than fit, the oldest have expired. The state of `ImmediateLabels`
        holds nothing to restore. That of version 0.2 has no labels that wait, and no alignment: its
        group goes on in the order of time, so that what it began ends with the same bits.
        """
        if "labelled" not in state:
            return
        pending = pending_documents.unpack(state)
        self._pending = OrderedDict((each.document.id, each) for each in pending[-self._capacity :])
        self._early.restore((id_, (label, at)) for id_, label, at in state.get("early", []))
        self._labelled.restore((id_, name) for id_, name in state["labelled"])
        self._past.restore((id_, name) for id_, name in state.get("past", []))
        for expired in pending[: -self._capacity]:
            self._past.add(expired.document.id, None)
        self.positions = {int(number): offset for number, offset in state["positions"].items()}
        self._repredicted.load_state_dict(state["again"])
        self.alignment = ByTime()
        if state.get("alignment"):
            self.alignment = Alignment(self._capacity)
            self.alignment.load_state_dict(state["alignment"])
