"""Names of the topics of a stream."""

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Self

DOCUMENTS = "documents"

HELD_OUT = ".heldout"
"""End of the default name of a topic of held-out documents."""

PATTERN = r"^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,248}$"
"""Regular expression of topic names that Kafka accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names of the topics of a stream; all differ.

    >>> Names.of("tickets", drift="ml.drift").predictions
    'tickets.predictions'

    Parameters
    ----------
    documents
        Documents to predict and to learn.
    heldout
        Held-out documents, which evaluate a model and never train it.
    predictions
        Predictions of the consumer.
    dead_letters
        Records that could not be used, each with the reason.
    labels
        Labels that arrive later than their documents.
    drift
        Changes that the consumer detected.
    truth
        Changes that a scenario made to a simulated stream.

    Raises
    ------
    ValueError
        Two topics have the same name.
    """

    documents: str
    heldout: str
    predictions: str
    dead_letters: str
    labels: str
    drift: str
    truth: str

    def __post_init__(self) -> None:
        topics: dict[str, list[str]] = defaultdict(list)
        for topic, name in asdict(self).items():
            topics[name].append(topic.replace("_", "-"))
        for name, same in topics.items():
            if len(same) > 1:
                raise ValueError(
                    f"the topics of {' and '.join(same)} have the same name, {name!r}; give each a"
                    " name of its own"
                )

    @classmethod
    def of(
        cls,
        documents: str,
        *,
        heldout: str | None = None,
        predictions: str | None = None,
        dead_letters: str | None = None,
        labels: str | None = None,
        drift: str | None = None,
        truth: str | None = None,
    ) -> Self:
        """Name the topics of a stream; a topic without a name is named after the documents."""
        return cls(
            documents=documents,
            heldout=heldout or documents + HELD_OUT,
            predictions=predictions or f"{documents}.predictions",
            dead_letters=dead_letters or f"{documents}.dead-letters",
            labels=labels or f"{documents}.labels",
            drift=drift or f"{documents}.drift",
            truth=truth or f"{documents}.truth",
        )
