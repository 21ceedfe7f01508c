"""Send the documents of rejected learning steps to the dead letters; stop after a few in a row."""

from collections.abc import Iterable
from typing import Any

from consumer.kafka.batch import DeadLetter, Origin
from newsreel.common.errors import UserError
from newsreel.events.document import Document, encode_value
from newsreel.events.errors import Reason

LARGEST_STREAK = 5
"""Rejected steps in a row after which the model is at fault, not the documents."""


class DivergedError(UserError):
    """The model has diverged."""


class Quarantine:
    """Turns documents into dead letters when their learning step was rejected: its loss diverged.

    Parameters
    ----------
    topic
        Topic of the documents.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._streak = 0

    def passed(self) -> None:
        """Note that a learning step was applied."""
        self._streak = 0

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
            DeadLetter(
                topic=self._topic,
                partition=origin.partition,
                offset=origin.offset,
                key=document.id.encode(),
                value=encode_value(document),
                headers=[],
                reason=Reason.DIVERGED,
                detail=detail,
            )
            for document, origin in documents
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return the number of rejected steps in a row."""
        return {"in_a_row": self._streak}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._streak = state["in_a_row"]
