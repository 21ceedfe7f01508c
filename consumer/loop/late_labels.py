"""Labels that arrive later than their documents.

Grzenda et al. (2020), "Delayed labelling evaluation for data streams": a prediction is scored as it
was made on arrival, and once more as it would be made just before its label is learned.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import structlog
import torch

from consumer.evaluation.evaluator import Evaluator, Prediction
from consumer.evaluation.scores import Scores
from consumer.features import serialization
from consumer.kafka.batch import Batch, LabelRecord, Origin
from consumer.labels import LabelSet
from consumer.learners.prediction import PredictedBatch, with_names
from consumer.learners.protocol import Predictions, Probabilities
from consumer.loop.labelling import JoinedLabel, LabelledBatch, LabelOutcome
from newsreel.events.document import Document

log = structlog.get_logger()


class _PendingDocument(NamedTuple):
    """A document without a label, and its row of the predictions made on arrival."""

    document: Document
    predictions: Predictions
    origin: Origin
    written: float | None


class LateLabels:
    """Labelling that keeps documents until their labels arrive.

    The first label of a document counts. A later label for the same document is ``repeated`` if it
    is equal and ``conflicting`` if it differs; neither changes anything, because learning can't be
    undone. A label whose document is neither pending nor labelled lately is ``orphaned``. A
    document that is published again while it is pending replaces itself. When more documents are
    pending than fit, the oldest one is ``expired``.

    If two documents of different texts are pending with one id, or a document comes with the id of
    one that was labelled lately, no label of that id can be joined: these documents and all later
    ones of that id, and their labels, are ``ambiguous``.

    Parameters
    ----------
    capacity
        Largest number of pending documents, and of labelled or ambiguous ids that are remembered.
    """

    late = True

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.positions: Mapping[int, int] = {}
        self._pending: OrderedDict[str, _PendingDocument] = OrderedDict()
        self._labelled: OrderedDict[str, str | None] = OrderedDict()  # None: ambiguous
        self._repredicted = Evaluator()
        self._warned = False

    def take(
        self,
        batch: Batch,
        predicted: PredictedBatch,
        predictions: Sequence[Prediction],
        labels: LabelSet,
    ) -> LabelledBatch:
        """Return what can be scored and learned, after each document and label in stream order."""
        ready: list[tuple[Document, Origin]] = []
        scored: list[Prediction] = []
        joined: list[JoinedLabel] = []
        outcomes: Counter[LabelOutcome] = Counter()
        self.positions = dict(batch.label_positions)

        def join_labels_after(documents: int) -> None:
            for record in batch.labels:
                if record.after != documents:
                    continue
                outcome, document = self._join(record, labels)
                outcomes[outcome] += 1
                if document is not None:
                    joined.append(document)
                    scored.append(document.prediction)
                    ready.append((document.prediction.document, document.origin))

        join_labels_after(0)
        for row, document in enumerate(batch.documents):
            if document.label is None:
                pending = _PendingDocument(
                    document,
                    predicted.predictions.of([row]),
                    batch.origins[row],
                    batch.written[row],
                )
                outcomes.update(self._keep(pending))
            else:
                scored.append(predictions[row])
                ready.append((document, batch.origins[row]))
            join_labels_after(row + 1)
        return LabelledBatch(ready, scored, joined, +outcomes, len(self._pending))

    def _keep(self, pending: _PendingDocument) -> Mapping[LabelOutcome, int]:
        """Keep a document until its label arrives; return what becomes of documents by that."""
        document = pending.document
        other = self._pending.pop(document.id, None)
        if document.id in self._labelled:  # a label that is repeated would be joined to it
            self._mark_ambiguous(document.id)
            return {LabelOutcome.AMBIGUOUS: 1}
        if other is not None and other.document.text != document.text:
            self._mark_ambiguous(document.id)
            return {LabelOutcome.AMBIGUOUS: 2}
        self._pending[document.id] = pending
        if len(self._pending) <= self._capacity:
            return {}
        self._pending.popitem(last=False)
        return {LabelOutcome.EXPIRED: 1}

    def _mark_ambiguous(self, id_: str) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "documents share an id, so their late labels can't be joined; name the place of an"
                " id that is unique with --id-field",
                id=id_,
            )
        self._remember(id_, None)

    def _remember(self, id_: str, label: str | None) -> None:
        self._labelled[id_] = label
        self._labelled.move_to_end(id_)
        if len(self._labelled) > self._capacity:
            self._labelled.popitem(last=False)

    def _is_ambiguous(self, id_: str) -> bool:
        return self._labelled.get(id_, "") is None

    def _join(
        self, record: LabelRecord, labels: LabelSet
    ) -> tuple[LabelOutcome, JoinedLabel | None]:
        """Return the outcome of a label, and its document if the document was pending."""
        label = record.label
        if self._is_ambiguous(label.id):
            return LabelOutcome.AMBIGUOUS, None
        pending = self._pending.pop(label.id, None)
        if pending is None:
            return self._outcome_without_document(label.id, label.label), None
        self._remember(label.id, label.label)
        seconds = None
        if pending.written is not None and record.written is not None:
            seconds = max(0.0, record.written - pending.written)
        document = replace(pending.document, label=label.label)
        batch = PredictedBatch([document], [], pending.predictions, 0, 0.0)
        (prediction,) = with_names(batch, labels)
        return LabelOutcome.JOINED, JoinedLabel(prediction, pending.origin, seconds)

    def _outcome_without_document(self, id_: str, label: str) -> LabelOutcome:
        known = self._labelled.get(id_)
        if known is None:
            return LabelOutcome.ORPHANED
        return LabelOutcome.REPEATED if known == label else LabelOutcome.CONFLICTING

    def repredict(self, predictions: Sequence[Prediction]) -> None:
        """Score predictions made just before their documents are learned."""
        self._repredicted.update(predictions)

    def repredicted_scores(self) -> Scores | None:
        """Return the scores of the last 1000 such predictions."""
        return self._repredicted.scores().window

    def state_dict(self) -> dict[str, Any]:
        """Return pending documents, their predictions, and the labels that arrived, by id.

        The label of an id that is ambiguous is None.
        """
        pending = list(self._pending.values())
        experts = sorted({name for each in pending for name in each.predictions.experts})
        return {
            "documents": serialization.pack(each.document for each in pending),
            "origins": [list(each.origin) for each in pending],
            "written": [each.written for each in pending],
            "probabilities": _pack_rows([each.predictions.probabilities for each in pending]),
            "experts": {
                name: _pack_rows([each.predictions.experts[name] for each in pending])
                for name in experts
            },
            "labelled": [list(pair) for pair in self._labelled.items()],
            "positions": {str(number): offset for number, offset in self.positions.items()},
            "again": self._repredicted.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Of more pending documents than fit, the oldest are dropped. The state of
        `ImmediateLabels` holds nothing to restore.
        """
        if "labelled" not in state:
            return
        rows = _unpack_rows(state["probabilities"])
        experts = {name: _unpack_rows(packed) for name, packed in state["experts"].items()}
        pending = [
            _PendingDocument(
                document,
                Predictions(rows[row], {name: each[row] for name, each in experts.items()}),
                Origin(*state["origins"][row]),
                state["written"][row],
            )
            for row, document in enumerate(serialization.unpack(state["documents"]))
        ]
        self._pending = OrderedDict((each.document.id, each) for each in pending[-self._capacity :])
        self._labelled = OrderedDict((id_, name) for id_, name in state["labelled"])
        self.positions = {int(number): offset for number, offset in state["positions"].items()}
        self._repredicted.load_state_dict(state["again"])


def _pack_rows(rows: Sequence[Probabilities]) -> dict[str, Any]:
    """Concatenate rows into one tensor; their lengths differ as labels were discovered."""
    parts = [torch.from_numpy(row[0].copy()) for row in rows]
    return {
        "lengths": [len(part) for part in parts],
        "values": torch.cat(parts) if parts else torch.zeros(0),
    }


def _unpack_rows(packed: dict[str, Any]) -> list[Probabilities]:
    return [part.numpy().copy()[None] for part in packed["values"].split(packed["lengths"])]
