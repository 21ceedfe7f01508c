"""Send documents that can't be learned to the dead letters; stop after many in a row."""

from collections.abc import Iterable
from typing import Any

from consumer.kafka.batch import DeadLetter, Origin
from newsreel.common.errors import UserError
from newsreel.events.document import Document, encode_value
from newsreel.events.errors import Reason

LARGEST_STREAK = 5
"""Rejected steps in a row after which the model is at fault, not the documents."""

LARGEST_RUN = 100
"""Documents without finite features in a row after which the encoder is at fault, not the texts."""


class DivergedError(UserError):
    """The model has diverged."""


class NotFiniteError(UserError):
    """The encoder returns no finite numbers."""


class Quarantine:
    """Turns documents into dead letters that can't be learned.

    A document whose features or prediction are not finite numbers is left out alone; all documents
    of a learning step are, if the step was rejected because its loss diverged.

    Parameters
    ----------
    topic
        Topic of the documents.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._streak = 0
        self._run = 0

    def passed(self) -> None:
        """Note that a learning step was applied."""
        self._streak = self._run = 0

    def leave_out(self, document: Document, origin: Origin, detail: str) -> DeadLetter:
        """Return the dead letter of a document that is left out of its learning step.

        Raises
        ------
        NotFiniteError
            The document is the last of `LARGEST_RUN` in a row.
        """
        self._run += 1
        if self._run >= LARGEST_RUN:
            raise NotFiniteError(
                f"the features of {self._run} documents in a row are not finite numbers ({detail});"
                " nothing is committed past the last checkpoint: start again with --precision fp32,"
                " or with another --device or --model"
            )
        return self._letter(document, origin, Reason.NOT_FINITE, detail)

    def set_aside(
        self, documents: Iterable[tuple[Document, Origin]], detail: str
    ) -> list[DeadLetter]:
        """Return dead letters of the documents of a rejected step.

        Raises
        ------
        DivergedError
            The step is the last of `LARGEST_STREAK` in a row.
        """
        self._streak += 1
        if self._streak >= LARGEST_STREAK:
            raise DivergedError(
                f"{self._streak} micro-batches in a row can't be learned, the model has diverged"
                f" ({detail}); nothing is committed past the last checkpoint: start again with"
                " lower --learning-rate and --head-learning-rate, or --precision fp32"
            )
        return [
            self._letter(document, origin, Reason.DIVERGED, detail)
            for document, origin in documents
        ]

    def _letter(
        self, document: Document, origin: Origin, reason: Reason, detail: str
    ) -> DeadLetter:
        return DeadLetter(
            topic=self._topic,
            partition=origin.partition,
            offset=origin.offset,
            key=document.id.encode(),
            value=encode_value(document),
            headers=[],
            reason=reason,
            detail=detail,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers of rejected steps, and of documents left out, in a row."""
        return {"in_a_row": self._streak, "left_out": self._run}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._streak = state["in_a_row"]
        self._run = state.get("left_out", 0)  # checkpoints of version 0.1 lack it
