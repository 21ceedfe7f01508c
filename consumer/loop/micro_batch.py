"""Micro-batches: learning is cut after a number of documents, never after a time."""

from collections.abc import Iterable
from typing import Any

from consumer.features import serialization
from consumer.kafka.batch import Origin
from newsreel.events.document import Document


class MicroBatch:
    """Documents that have been predicted and scored, and will be learned together.

    Predictions are made as documents arrive; learning waits until ``size`` documents are gathered.
    So what the model learns depends on the stream alone: not on timing, and not on where a run was
    stopped, because the documents gathered so far are part of the checkpoint.

    Parameters
    ----------
    size
        Number of documents learned together, labelled or not.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._gathered: list[tuple[Document, Origin]] = []

    def __len__(self) -> int:
        return len(self._gathered)

    @property
    def room(self) -> int:
        """Number of documents to read next, at least one.

        A micro-batch saved under a larger size can hold more documents than fit now.
        """
        return max(1, self.size - len(self))

    @property
    def full(self) -> bool:
        """Whether the documents gathered are to be learned now."""
        return len(self) >= self.size

    def add(self, documents: Iterable[tuple[Document, Origin]]) -> None:
        """Gather documents and their places in the topic."""
        self._gathered.extend(documents)

    def take(self) -> list[tuple[Document, Origin]]:
        """Return the documents gathered, and begin an empty micro-batch."""
        taken, self._gathered = self._gathered, []
        return taken

    def state_dict(self) -> dict[str, Any]:
        """Return the documents gathered so far, and their places in the topic."""
        return {
            "documents": serialization.pack(document for document, _ in self._gathered),
            "origins": [list(origin) for _, origin in self._gathered],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        origins = [Origin(*origin) for origin in state["origins"]]
        self._gathered = list(zip(serialization.unpack(state["documents"]), origins, strict=True))
