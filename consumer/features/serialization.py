"""Pack documents and examples for checkpoints: tensors and primitives only."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import torch

from consumer.features.extractor import Example
from newsreel.events.document import Document


def pack(documents: Iterable[Document]) -> list[list[str | None]]:
    """Convert documents to lists of strings."""
    return [[d.id, d.text, d.label, d.time.isoformat() if d.time else None] for d in documents]


def unpack(packed: Iterable[list[Any]]) -> list[Document]:
    """Convert what `pack` returned to documents."""
    return [
        Document(id_, text, label, time and datetime.fromisoformat(time))
        for id_, text, label, time in packed
    ]


def pack_examples(examples: Sequence[Example]) -> dict[str, Any]:
    """Convert examples to lists, and the tensors of each feature to one concatenated tensor."""
    names = examples[0].features if examples else ()
    columns = {name: [example.features[name] for example in examples] for name in names}
    return {
        "documents": pack(example.document for example in examples),
        "features": {
            name: {"lengths": [len(rows) for rows in column], "values": torch.cat(column)}
            for name, column in columns.items()
        },
    }


def unpack_examples(packed: dict[str, Any]) -> list[Example]:
    """Convert what `pack_examples` returned to examples."""
    columns = {
        name: [rows.clone() for rows in column["values"].split(column["lengths"])]
        for name, column in packed["features"].items()
    }
    return [
        Example(document, {name: column[index] for name, column in columns.items()})
        for index, document in enumerate(unpack(packed["documents"]))
    ]
