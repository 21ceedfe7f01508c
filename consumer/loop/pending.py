"""Documents that wait for their labels, and their predictions, in a form that checkpoints keep."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from consumer.features import serialization
from consumer.kafka.batch import Origin
from consumer.learners.protocol import Predictions, Probabilities
from newsreel.events.document import Document


class PendingDocument(NamedTuple):
    """A document without a label, and its row of the predictions made on arrival."""

    document: Document
    predictions: Predictions
    origin: Origin
    written: float | None
    """Timestamp of its record, in seconds since 1970; None if the record has none."""


def pack(pending: Sequence[PendingDocument]) -> dict[str, Any]:
    """Return documents as tensors and primitives."""
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
    }


def unpack(state: dict[str, Any]) -> list[PendingDocument]:
    """Return the documents that `pack` returned."""
    rows = _unpack_rows(state["probabilities"])
    experts = {name: _unpack_rows(packed) for name, packed in state["experts"].items()}
    return [
        PendingDocument(
            document,
            Predictions(rows[row], {name: each[row] for name, each in experts.items()}),
            Origin(*state["origins"][row]),
            state["written"][row],
        )
        for row, document in enumerate(serialization.unpack(state["documents"]))
    ]


def _pack_rows(rows: Sequence[Probabilities]) -> dict[str, Any]:
    """Concatenate rows into one tensor; their lengths differ as labels were discovered."""
    parts = [torch.from_numpy(row[0].copy()) for row in rows]
    return {
        "lengths": [len(part) for part in parts],
        "values": torch.cat(parts) if parts else torch.zeros(0),
    }


def _unpack_rows(packed: dict[str, Any]) -> list[Probabilities]:
    return [part.numpy().copy()[None] for part in packed["values"].split(packed["lengths"])]
