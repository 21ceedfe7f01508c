"""Where learning is cut: after a number of documents, never after a time."""

from collections.abc import Iterable
from typing import Any

from consumer.features import serialization
from consumer.kafka.batch import Origin
from newsreel.events.document import Document


class MicroBatch:
    """Documents that are predicted and scored, and will be learned together.

    Predictions are made as documents arrive, learning waits until ``size`` of them are there. So
    what the model learns depends on the stream alone: not on timing, and not on where a run was
    stopped, since the documents gathered so far are part of the checkpoint.

    Parameters
    ----------
    size
        Documents learned together, labelled or not.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._gathered: list[tuple[Document, Origin]] = []

    def __len__(self) -> int:
        return len(self._gathered)

    @property
    def room(self) -> int:
        """How many documents may be added; one at least, should it be fuller than full.

        It is when it was saved under a larger size.
        """
        return max(1, self._size - len(self))

    @property
    def full(self) -> bool:
        """Whether its documents are to be learned now."""
        return len(self) >= self._size

    def add(self, arrived: Iterable[tuple[Document, Origin]]) -> None:
        """Gather documents and where each comes from, `room` of them at most."""
        self._gathered.extend(arrived)

    def take(self) -> list[tuple[Document, Origin]]:
        """Empty it, returning its documents and where each comes from."""
        taken, self._gathered = self._gathered, []
        return taken

    def state_dict(self) -> dict[str, Any]:
        """Return the documents gathered so far, and where each comes from."""
        return {
            "documents": serialization.pack(document for document, _ in self._gathered),
            "origins": [list(origin) for _, origin in self._gathered],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        origins = [Origin(*origin) for origin in state["origins"]]
        self._gathered = list(zip(serialization.unpack(state["documents"]), origins, strict=True))
