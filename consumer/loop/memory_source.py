"""A source of documents in memory, in place of Kafka."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from consumer.kafka.batch import Batch, Origin
from consumer.labels import LabelSet
from consumer.records.reader import MAX_TEXT_CHARACTERS
from newsreel.events.document import Document


class MemorySource:
    """Reads documents from memory as `KafkaSource` reads them from a topic, without waiting.

    Parameters
    ----------
    documents
        The stream.
    labels
        Set that the labels of the documents are added to.
    """

    def __init__(self, documents: Iterable[Document], labels: LabelSet) -> None:
        self._documents = iter(documents)
        self._labels = labels
        self._position = 0

    def read(self, at_most: int) -> Batch | None:
        """Return up to ``at_most`` documents; None at the end."""
        documents = [
            replace(document, text=document.text[:MAX_TEXT_CHARACTERS])
            for document in islice(self._documents, at_most)
        ]
        if not documents:
            return None
        for document in documents:
            if document.label is not None:
                self._labels.add(document.label)
        origins = [Origin(0, self._position + number) for number in range(len(documents))]
        self._position += len(documents)
        return Batch(
            documents,
            origins,
            written=[None] * len(documents),
            dead_letters=[],
            positions={0: self._position},
            lag={0: 0},
            reached={},
        )
