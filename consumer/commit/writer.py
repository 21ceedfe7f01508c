"""What leaves the consumer, as Kafka records."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import structlog

from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import Prediction
from consumer.kafka.batch import DeadLetter, Origin
from consumer.kafka.outbox import Outbox, Outgoing
from consumer.loop.step import Step
from consumer.monitoring.progress import Progress
from newsreel.events import topics
from newsreel.events.cloudevents import Headers
from newsreel.events.errors import Reason

log = structlog.get_logger()

JSON_HEADERS: Headers = [("content-type", b"application/json")]


def prediction_record(
    topic: str,
    prediction: Prediction,
    origin: Origin,
    documents: str,
    group: str,
    checkpoint: str | None,
    step: int,
    now: datetime | None = None,
) -> Outgoing:
    """Write what was predicted of a document.

    Parameters
    ----------
    topic
        Of predictions.
    documents
        Topic that the document is of; ``origin`` is its place there.
    group
        Whose model it is: groups that read one topic write to one topic of predictions.
    checkpoint, step
        Model version: the last checkpoint that was committed, if any, and the learning steps made
        since the stream began.
    """
    document, opinion = prediction.document, prediction.predicted
    value = {
        "id": document.id,
        "label": opinion.label,
        "probabilities": {name: round(share, 6) for name, share in prediction.top},
        "truth": document.label,
        "topic": documents,
        "partition": origin.partition,
        "offset": origin.offset,
        "group": group,
        "checkpoint": checkpoint,
        "step": step,
        "time": (now or datetime.now(UTC)).isoformat(),
    }
    encoded = json.dumps(value, ensure_ascii=False).encode()
    return Outgoing(topic, document.id.encode(), encoded, JSON_HEADERS)


def drift_record(
    topic: str, drift: Drift, documents: str, group: str, now: datetime | None = None
) -> Outgoing:
    """Write that a change was noticed, or answered.

    Parameters
    ----------
    topic
        Of drifts.
    documents, group
        Topic that changed, and whose model noticed.
    """
    value = {
        **asdict(drift),
        "topic": documents,
        "group": group,
        "time": (now or datetime.now(UTC)).isoformat(),
    }
    encoded = json.dumps(value, ensure_ascii=False).encode()
    return Outgoing(topic, drift.detector.encode(), encoded, JSON_HEADERS)


def dead_letter_record(topic: str, letter: DeadLetter) -> Outgoing:
    """Write a dead letter: original key, value and headers, and why and where in headers.

    ``dl_reason``, ``dl_detail``, ``dl_topic``, ``dl_partition`` and ``dl_offset`` are added. Where
    the broker refuses it for its size, the letter goes without its large parts: ``dl_key_bytes``,
    ``dl_value_bytes`` or ``dl_headers_bytes`` say how many bytes are missing
    (`shortened`); the record itself is still at its position.
    """
    about: Headers = [
        ("dl_reason", str(letter.reason).encode()),
        ("dl_detail", letter.detail.encode()),
        ("dl_topic", letter.topic.encode()),
        ("dl_partition", str(letter.partition).encode()),
        ("dl_offset", str(letter.offset).encode()),
    ]
    # Names that were no UTF-8 came with surrogates, which can't be written again; nor can the
    # client write a header that is null.
    kept = [
        (name.encode("utf-8", "backslashreplace").decode(), content or b"")
        for name, content in letter.headers
    ]
    return Outgoing(topic, letter.key, letter.value, kept, about)


class OutputWriter:
    """Puts what a step brings into the outbox.

    Parameters
    ----------
    topic, group
        Of the documents, and who reads them.
    behind
        Positions up to which everything was published in an earlier life, where an older checkpoint
        than the last has to do.
    """

    def __init__(
        self, topic: str, group: str, outbox: Outbox, progress: Progress, behind: Mapping[int, int]
    ) -> None:
        self._topic = topic
        self._group = group
        self._outbox = outbox
        self._progress = progress
        self._behind = behind

    def write(self, step: Step) -> None:
        """Write predictions, dead letters and drifts."""
        new = any(
            self._is_new(partition, end - 1) for partition, end in step.batch.positions.items()
        )
        for letter in step.dead_letters:
            log.warning(
                "dead letter",
                reason=str(letter.reason),
                detail=letter.detail,
                partition=letter.partition,
                offset=letter.offset,
            )
        self._outbox.put(
            prediction_record(
                topics.predictions(self._topic),
                prediction,
                origin,
                self._topic,
                self._group,
                self._progress.checkpoint,
                self._progress.steps,
            )
            for prediction, origin in zip(step.predictions, step.batch.origins, strict=True)
            if self._is_new(origin.partition, origin.offset)
        )
        self._outbox.put(
            dead_letter_record(topics.dead_letters(self._topic), letter)
            for letter in step.dead_letters
            if self._is_new(letter.partition, letter.offset)
            # What is quarantined was read before, perhaps before the last commit.
            or (letter.reason is Reason.DIVERGED and new)
        )

        if new:
            self._outbox.put(
                drift_record(topics.drift(self._topic), drift, self._topic, self._group)
                for drift in step.drift.detected
            )

    def _is_new(self, partition: int, offset: int) -> bool:
        return offset >= self._behind.get(partition, 0)
