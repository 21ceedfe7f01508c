"""Held-out evaluation: a topic of documents that the model is examined on and never learns."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from consumer.evaluation import Evaluator
from consumer.features import Extractor
from consumer.labels import LabelSet
from consumer.learners.protocol import Learner
from consumer.prequential import named, predict
from consumer.source import read_document
from consumer.tally import Scores
from events.document import Document
from events.errors import DecodeError
from service import kafka
from service.errors import UserError

BATCH_SIZE = 32
STALL_SECONDS = 60.0


class HeldOutError(UserError):
    """The held-out topic can't be read to its end."""


def evaluate(
    extractor: Extractor,
    learner: Learner,
    labels: LabelSet,
    documents: Iterable[Document],
    stopping: Callable[[], bool] = lambda: False,
) -> Scores:
    """Score a learner on documents, leaving it as it is; unlabelled ones don't count.

    When told to stop, it scores what it has examined by then.
    """
    evaluator = Evaluator()
    # Alike in length, they need less padding.
    by_length = sorted(documents, key=lambda document: len(document.text))
    for start in range(0, len(by_length), BATCH_SIZE):
        if stopping():
            break
        arrived = predict(extractor, learner, by_length[start : start + BATCH_SIZE])
        evaluator.update(named(arrived, labels))
    return evaluator.scores().whole


def read(connection: kafka.Connection, topic: str) -> list[Document]:
    """Read every document of a topic as it stands now; none where there is no such topic.

    A document that was published again counts once.

    Raises
    ------
    BrokerUnreachableError, HeldOutError
    """
    with kafka.admin(connection) as admin:
        partitions = [TopicPartition(topic, number) for number in kafka.partitions(admin, topic)]
    if not partitions:
        return []
    documents: dict[str, Document] = {}
    for record in _records(connection, partitions):
        with suppress(DecodeError):  # what can't be read can't be examined
            document = read_document(record)
            documents[document.id] = document
    return list(documents.values())


def _records(
    connection: kafka.Connection, partitions: list[TopicPartition]
) -> Iterator[ConsumerRecord]:
    consumer = KafkaConsumer(
        **connection.options, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        stalled = time.monotonic() + STALL_SECONDS
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            fetched = consumer.poll(timeout_ms=500)
            if fetched:
                stalled = time.monotonic() + STALL_SECONDS
            elif time.monotonic() > stalled:
                raise HeldOutError(
                    f"reading {partitions[0].topic!r} stalled; check the broker and try again"
                )
            for tp, records in fetched.items():
                yield from (record for record in records if record.offset < ends[tp])
    finally:
        consumer.close()
