"""Where learning is cut: after a number of documents, never after a time."""

from collections.abc import Iterable
from typing import Any

from consumer import packing
from events.document import Document


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
        self._documents: list[Document] = []

    def __len__(self) -> int:
        return len(self._documents)

    @property
    def room(self) -> int:
        """How many documents may be added; one at least, should it be fuller than full.

        It is when it was saved under a larger size.
        """
        return max(1, self._size - len(self._documents))

    @property
    def full(self) -> bool:
        """Whether its documents are to be learned now."""
        return len(self._documents) >= self._size

    def add(self, documents: Iterable[Document]) -> None:
        """Gather documents, `room` of them at most."""
        self._documents.extend(documents)

    def take(self) -> list[Document]:
        """Empty it, returning its documents."""
        taken, self._documents = self._documents, []
        return taken

    def state_dict(self) -> dict[str, Any]:
        """Return the documents gathered so far."""
        return {"documents": packing.pack(self._documents)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._documents = packing.unpack(state["documents"])
