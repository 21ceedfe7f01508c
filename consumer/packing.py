"""Documents as checkpoints keep them: primitives only."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from events.document import Document


def pack(documents: Iterable[Document]) -> list[list[str | None]]:
    """Turn documents into lists of strings."""
    return [[d.id, d.text, d.label, d.time.isoformat() if d.time else None] for d in documents]


def unpack(packed: Iterable[list[Any]]) -> list[Document]:
    """Turn what `pack` returned into documents."""
    return [
        Document(id_, text, label, time and datetime.fromisoformat(time))
        for id_, text, label, time in packed
    ]
