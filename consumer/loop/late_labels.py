"""Documents that wait for their labels, with what was predicted of them when they arrived.

Grzenda et al. (2020), "Delayed labelling evaluation for data streams": a prediction is scored as it
was made at arrival, and once more as it would be made just before its label is learned.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

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


class _PendingDocument(NamedTuple):
    """A document that waits; of the predictions, its row."""

    document: Document
    predictions: Predictions
    origin: Origin
    written: float | None


class LateLabels:
    """Waits for labels, with so many documents at most: then the one that came first expires.

    The first label of a document counts. Another one that says the same is ``repeated``, one that
    says something else ``conflicting``: neither changes anything, as what was learned can't be
    taken back. A label of a document that does not wait, nor was labelled lately, is ``orphaned``.
    A document that comes again under its id waits in place of the first.

    Parameters
    ----------
    capacity
        Documents that wait at most; of as many, labels are remembered.
    """

    late = True

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.positions: Mapping[int, int] = {}
        self._waiting: OrderedDict[str, _PendingDocument] = OrderedDict()
        self._labelled: OrderedDict[str, str] = OrderedDict()
        self._again = Evaluator()

    def __len__(self) -> int:
        """Return how many documents wait."""
        return len(self._waiting)

    def take(self, batch: Batch, arrived: PredictedBatch, labels: LabelSet) -> LabelledBatch:
        """Take in documents and labels in the order of the stream."""
        ready: list[tuple[Document, Origin]] = []
        scored: list[Prediction] = []
        joined: list[JoinedLabel] = []
        fates: Counter[LabelOutcome] = Counter()
        self.positions = dict(batch.label_positions)

        def come(number: int) -> None:
            for labelled in (one for one in batch.labels if one.after == number):
                fate, found = self._join(labelled, labels)
                fates[fate] += 1
                if found is not None:
                    joined.append(found)
                    scored.append(found.prediction)
                    ready.append((found.prediction.document, found.origin))

        come(0)
        predictions = with_names(arrived, labels)
        for row, document in enumerate(batch.documents):
            if document.label is None:
                kept = _PendingDocument(
                    document, arrived.predictions.of([row]), batch.origins[row], batch.written[row]
                )
                fates[LabelOutcome.EXPIRED] += self._wait(kept)
            else:
                scored.append(predictions[row])
                ready.append((document, batch.origins[row]))
            come(row + 1)
        return LabelledBatch(ready, scored, joined, +fates)

    def _wait(self, kept: _PendingDocument) -> int:
        """Let a document wait; returns how many expire for that."""
        self._waiting.pop(kept.document.id, None)
        self._waiting[kept.document.id] = kept
        if len(self._waiting) <= self._capacity:
            return 0
        self._waiting.popitem(last=False)
        return 1

    def _join(
        self, labelled: LabelRecord, labels: LabelSet
    ) -> tuple[LabelOutcome, JoinedLabel | None]:
        said = labelled.label
        kept = self._waiting.pop(said.id, None)
        if kept is None:
            known = self._labelled.get(said.id)
            if known is None:
                return LabelOutcome.ORPHANED, None
            return (
                LabelOutcome.REPEATED if known == said.label else LabelOutcome.CONFLICTING
            ), None
        self._labelled[said.id] = said.label
        if len(self._labelled) > self._capacity:
            self._labelled.popitem(last=False)
        seconds = None
        if kept.written is not None and labelled.written is not None:
            seconds = max(0.0, labelled.written - kept.written)
        document = replace(kept.document, label=said.label)
        (prediction,) = with_names(PredictedBatch([document], [], kept.predictions, 0, 0.0), labels)
        return LabelOutcome.JOINED, JoinedLabel(prediction, kept.origin, seconds)

    def repredicted(self, predictions: Sequence[Prediction]) -> None:
        """Take in predictions that were made just before their documents are learned."""
        self._again.update(predictions)

    def scores(self) -> Scores | None:
        """Return the scores of these, over the last 1000."""
        return self._again.scores().window

    def state_dict(self) -> dict[str, Any]:
        """Return the documents that wait, what was predicted of them, and the labels that came."""
        waiting = list(self._waiting.values())
        experts = sorted({name for kept in waiting for name in kept.predictions.experts})
        return {
            "documents": serialization.pack(kept.document for kept in waiting),
            "origins": [list(kept.origin) for kept in waiting],
            "written": [kept.written for kept in waiting],
            "probabilities": _pack([kept.predictions.probabilities for kept in waiting]),
            "experts": {
                name: _pack([kept.predictions.experts[name] for kept in waiting])
                for name in experts
            },
            "labelled": [list(pair) for pair in self._labelled.items()],
            "positions": {str(number): at for number, at in self.positions.items()},
            "again": self._again.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; of more than fit, the first expire.

        Of a checkpoint in which none could wait, there is nothing to restore.
        """
        if "labelled" not in state:
            return
        said = _unpack(state["probabilities"])
        experts = {name: _unpack(rows) for name, rows in state["experts"].items()}
        kept = [
            _PendingDocument(
                document,
                Predictions(said[row], {name: rows[row] for name, rows in experts.items()}),
                Origin(*state["origins"][row]),
                state["written"][row],
            )
            for row, document in enumerate(serialization.unpack(state["documents"]))
        ]
        self._waiting = OrderedDict((one.document.id, one) for one in kept[-self._capacity :])
        self._labelled = OrderedDict((id_, name) for id_, name in state["labelled"])
        self.positions = {int(number): at for number, at in state["positions"].items()}
        self._again.load_state_dict(state["again"])


def _pack(rows: Sequence[Probabilities]) -> dict[str, Any]:
    """Turn rows of different lengths, as more labels became known, into one tensor."""
    parts = [torch.from_numpy(row[0].copy()) for row in rows]
    return {
        "lengths": [len(part) for part in parts],
        "values": torch.cat(parts) if parts else torch.zeros(0),
    }


def _unpack(packed: dict[str, Any]) -> list[Probabilities]:
    return [part.numpy().copy()[None] for part in packed["values"].split(packed["lengths"])]
