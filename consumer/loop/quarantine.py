"""Documents that the model must not learn from are set aside, and learning goes on without them."""

from collections.abc import Iterable
from typing import Any

from consumer.kafka.batch import DeadLetter, Origin
from newsreel.common.errors import UserError
from newsreel.events.document import Document, encode_value
from newsreel.events.errors import Reason

MOST_IN_A_ROW = 5
"""So many micro-batches one after the other can't all be bad: it is the model."""


class DivergedError(UserError):
    """Learning has gone out of bounds."""


class Quarantine:
    """Turns the documents of learning steps that were not taken into dead letters.

    Parameters
    ----------
    topic
        Where the documents come from.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._in_a_row = 0

    def passed(self) -> None:
        """Note that a learning step was taken."""
        self._in_a_row = 0

    def set_aside(
        self, arrived: Iterable[tuple[Document, Origin]], detail: str
    ) -> list[DeadLetter]:
        """Return dead letters of the documents of a step that was not taken.

        Raises
        ------
        DivergedError
            It is the last of `MOST_IN_A_ROW`.
        """
        self._in_a_row += 1
        if self._in_a_row >= MOST_IN_A_ROW:
            raise DivergedError(
                f"{self._in_a_row} micro-batches in a row can't be learned, the model has diverged"
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
            for document, origin in arrived
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return how many steps in a row were not taken."""
        return {"in_a_row": self._in_a_row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._in_a_row = state["in_a_row"]
