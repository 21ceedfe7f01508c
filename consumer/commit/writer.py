"""The records that the consumer publishes: predictions, drifts and dead letters."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import structlog

from consumer.commit.smaller import fewer_labels, fewer_probabilities
from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import Prediction
from consumer.kafka.batch import DeadLetter, Origin
from consumer.kafka.outbox import Outbox, Outgoing
from consumer.loop.step import Step
from consumer.monitoring.progress import Progress
from newsreel.events.cloudevents import Headers
from newsreel.events.errors import NOT_LEARNED
from newsreel.events.topics import Names

log = structlog.get_logger()

LOG_SECONDS = 10.0
"""Shortest time between two lines of the log about dead letters."""

JSON_HEADERS: Headers = [("content-type", b"application/json")]


def prediction_record(
    topics: Names,
    group: str,
    prediction: Prediction,
    origin: Origin,
    checkpoint: str | None,
    step: int,
    now: datetime | None = None,
) -> Outgoing:
    """Return the record of a prediction.

    Parameters
    ----------
    topics
        Topics of the document and of the record.
    group
        Group whose model predicted: groups that read one topic share its topic of predictions.
    origin
        Place of the document in its topic.
    checkpoint
        Id of the last committed checkpoint; None before the first commit.
    step
        Number of learning steps since the stream began. With ``checkpoint``, the model version.
    now
        Time of the prediction.
    """
    document, predicted = prediction.document, prediction.predicted
    value = {
        "id": document.id,
        "label": predicted.label,
        "probabilities": {name: round(share, 6) for name, share in prediction.top},
        "truth": document.label,
        "topic": topics.documents,
        "partition": origin.partition,
        "offset": origin.offset,
        "group": group,
        "checkpoint": checkpoint,
        "step": step,
        "time": (now or datetime.now(UTC)).isoformat(),
    }
    encoded = json.dumps(value, ensure_ascii=False).encode()
    return Outgoing(
        topics.predictions,
        document.id.encode(),
        encoded,
        JSON_HEADERS,
        smaller_values=fewer_probabilities,
    )


def drift_record(topics: Names, group: str, drift: Drift, now: datetime | None = None) -> Outgoing:
    """Return the record of a detected drift, or of a reaction to drift.

    Parameters
    ----------
    topics
        Topics of the documents that changed and of the record.
    group
        Group whose model detected the drift.
    now
        Time of the detection.
    """
    value = {
        **asdict(drift),
        "topic": topics.documents,
        "group": group,
        "time": (now or datetime.now(UTC)).isoformat(),
    }
    encoded = json.dumps(value, ensure_ascii=False).encode()
    return Outgoing(
        topics.drift,
        drift.detector.encode(),
        encoded,
        JSON_HEADERS,
        smaller_values=fewer_labels,
    )


def dead_letter_record(topic: str, letter: DeadLetter) -> Outgoing:
    """Return the record of a dead letter: original key, value and headers, and added headers.

    The added headers are ``dl_reason``, ``dl_detail``, ``dl_topic``, ``dl_partition`` and
    ``dl_offset``. If the broker refuses the record for its size, the large parts are left out
    (`consumer.kafka.forms`), and ``dl_key_bytes``, ``dl_value_bytes`` or ``dl_headers_bytes`` give
    the number of missing bytes; the original stays in its topic. Where the topic refuses records
    without a key, the key is topic, partition and offset of the original.

    Parameters
    ----------
    topic
        Topic of dead letters.
    """
    about: Headers = [
        ("dl_reason", str(letter.reason).encode()),
        ("dl_detail", letter.detail.encode()),
        ("dl_topic", letter.topic.encode()),
        ("dl_partition", str(letter.partition).encode()),
        ("dl_offset", str(letter.offset).encode()),
    ]
    # Names that are not UTF-8 arrive with surrogates, which can't be encoded; the client can't
    # write a header that is null.
    original = [
        (name.encode("utf-8", "backslashreplace").decode(), content or b"")
        for name, content in letter.headers
    ]
    place = f"{letter.topic}-{letter.partition}-{letter.offset}".encode()
    return Outgoing(topic, letter.key, letter.value, original, about, spare_key=place)


class DeadLetterLog:
    """Logs dead letters: at most one line in ten seconds, with their numbers by reason.

    Parameters
    ----------
    clock
        Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = -math.inf
        self._counts: Counter[str] = Counter()
        self._last: DeadLetter | None = None

    def observe(self, letters: Sequence[DeadLetter]) -> None:
        """Count dead letters, and log the numbers if the last line is old enough."""
        self._counts.update(str(letter.reason) for letter in letters)
        self._last = letters[-1] if letters else self._last
        if self._last is not None and self._clock() >= self._next:
            self.flush()

    def flush(self) -> None:
        """Log what was counted since the last line."""
        if self._last is None:
            return
        log.warning(
            "dead letters",
            **self._counts,
            last=self._last.detail,
            topic=self._last.topic,
            partition=self._last.partition,
            offset=self._last.offset,
        )
        self._next = self._clock() + LOG_SECONDS
        self._counts.clear()
        self._last = None


class OutputWriter:
    """Puts the records of each step into the outbox.

    Parameters
    ----------
    topics
        Topics of the documents and of the records.
    group
        Group that reads the documents.
    outbox
        Outbox for the records.
    progress
        Source of the model version.
    published
        Positions by partition up to which an earlier run has published everything. Records before
        these positions are not published again.
    """

    def __init__(
        self,
        topics: Names,
        group: str,
        outbox: Outbox,
        progress: Progress,
        published: Mapping[int, int],
    ) -> None:
        self._topics = topics
        self._group = group
        self._outbox = outbox
        self._progress = progress
        self._published = published
        self._log = DeadLetterLog()

    def write(self, step: Step) -> None:
        """Put predictions, dead letters and drifts into the outbox."""
        new = any(
            self._is_new(partition, end - 1) for partition, end in step.batch.positions.items()
        )
        self._log.observe(step.dead_letters)
        checkpoint, steps = self._progress.checkpoint, self._progress.steps
        self._outbox.put(
            prediction_record(self._topics, self._group, prediction, origin, checkpoint, steps)
            for prediction, origin in zip(step.predictions, step.batch.origins, strict=True)
            if self._is_new(origin.partition, origin.offset)
        )
        self._outbox.put(
            dead_letter_record(self._topics.dead_letters, letter)
            for letter in step.dead_letters
            if self._is_new(letter.partition, letter.offset)
            # Quarantined documents were read earlier, perhaps before the last commit.
            or (letter.reason in NOT_LEARNED and new)
        )
        if new:
            self._outbox.put(
                drift_record(self._topics, self._group, drift) for drift in step.drift.detected
            )

    def finish(self) -> None:
        """Log the dead letters that no line has counted."""
        self._log.flush()

    def _is_new(self, partition: int, offset: int) -> bool:
        return offset >= self._published.get(partition, 0)
