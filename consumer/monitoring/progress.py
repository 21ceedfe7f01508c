"""Follow a run: counts, scores, the accuracy curve and the latest mistakes."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import structlog

from consumer.evaluation.curve import Curve
from consumer.loop.step import Step
from consumer.monitoring.first_step import FirstStep
from newsreel.common.json_file import without_nan
from newsreel.events.errors import NOT_LEARNED

MISTAKES = 50
"""Number of latest mistakes that are shown."""

EXCERPT_CHARACTERS = 300
"""Characters of a mistake's text that are shown."""

RECENT_STEPS = 200
"""Number of steps that the pace is measured over."""

PATIENCE = 100
"""Number of documents without a label after which the missing labels are reported."""

log = structlog.get_logger()


class Progress:
    """Counts, scores, the accuracy curve and the latest mistakes of a run.

    Parameters
    ----------
    clock
        Seconds that only go forward.

    Attributes
    ----------
    checkpoint
        Id of the last committed checkpoint.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started: float | None = None
        self._seconds = 0.0
        self._documents_this_run = 0
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT_STEPS)
        self._counts = {
            "documents": 0,
            "unlabelled": 0,
            "learned": 0,
            "replayed": 0,
            "dead_letters": 0,
            "quarantined": 0,
            "steps": 0,
        }
        self._curve = Curve()
        self._mistakes: deque[dict[str, Any]] = deque(maxlen=MISTAKES)
        self._latest: dict[str, Any] = {
            "labels": 0,
            "replay_buffer": 0,
            "prequential": None,
            "shares": {},
        }
        self._first_step = FirstStep(clock)
        self._lag: int | None = None
        self._pending: int | None = None
        self.checkpoint: str | None = None

    @property
    def documents(self) -> int:
        """Number of documents predicted since the stream began."""
        return self._counts["documents"]

    @property
    def records(self) -> int:
        """Number of records read since the stream began, usable or not."""
        unusable = self._counts["dead_letters"] - self._counts["quarantined"]
        return self._counts["documents"] + unusable

    @property
    def steps(self) -> int:
        """Number of learning steps since the stream began: the version of the model."""
        return self._counts["steps"]

    def observe(self, step: Step) -> None:
        """Add a step to the counts, the curve and the mistakes."""
        now = self._clock()
        with self._lock:
            self._measure_speed(step, now)
            self._count(step)
            self._remember_mistakes(step)
            self._first_step.observe(step, self._counts["documents"], self._counts["steps"])
            if step.scores.whole.documents:
                accuracies = step.scores.whole.accuracy, step.scores.window.accuracy
                self._curve.add(step.scores.whole.documents, accuracies)
            self._lag = sum(step.batch.lag.values())
            if step.repredicted is not None:  # labels are late
                self._pending = step.labelled.pending
            self._latest = without_nan(
                {
                    "labels": len(step.labels),
                    "replay_buffer": step.replay_buffer.documents,
                    "prequential": asdict(step.scores),
                    # A step without documents has no shares.
                    "shares": dict(step.expert_shares) or self._latest["shares"],
                }
            )

    def _measure_speed(self, step: Step, now: float) -> None:
        if not step.predictions:  # waiting does not count as work
            return
        if self._started is None:
            self._started = now - step.seconds["predict"] - step.seconds["learn"]
        self._seconds = now - self._started
        work = sum(seconds for stage, seconds in step.seconds.items() if stage != "fetch")
        self._recent.append((len(step.predictions), work))
        self._documents_this_run += len(step.predictions)

    def _count(self, step: Step) -> None:
        counts = self._counts
        counts["documents"] += len(step.predictions)
        counts["unlabelled"] += sum(
            prediction.document.label is None for prediction in step.predictions
        )
        counts["dead_letters"] += len(step.dead_letters)
        counts["quarantined"] += sum(letter.reason in NOT_LEARNED for letter in step.dead_letters)
        if step.learned is not None:
            counts["steps"] += 1
            counts["learned"] += step.learned.documents
            counts["replayed"] += step.learned.replayed

    def _remember_mistakes(self, step: Step) -> None:
        for prediction in step.labelled.scored:
            if prediction.predicted.label is not None and not prediction.correct:
                self._mistakes.append(
                    {
                        "id": prediction.document.id,
                        "text": prediction.document.text[:EXCERPT_CHARACTERS],
                        "label": prediction.document.label,
                        "predicted": prediction.predicted.label,
                        "probability": round(prediction.predicted.probability, 4),
                        "top": [[label, round(share, 4)] for label, share in prediction.top],
                    }
                )

    def snapshot(self) -> dict[str, Any]:
        """Return the state of the run, ready for JSON; None stands for what is not known yet.

        ``documents_per_second`` is measured over the whole run, with its waiting time; ``pace``
        over the work of the last steps: the throughput that is possible. ``first_step`` is what
        the first learning step waits for, None once it was taken.
        """
        with self._lock:
            rate = self._documents_this_run / self._seconds if self._seconds else math.nan
            documents, work = map(sum, zip(*self._recent, strict=True)) if self._recent else (0, 0)
            snapshot: dict[str, Any] = {
                **self._counts,
                "documents_per_second": rate,
                "pace": documents / work if work else math.nan,
                **self._latest,
                "first_step": self._first_step.missing,
                "lag": self._lag,
                "pending": self._pending,
                "curve": list(self._curve.thinned),
                "mistakes": list(self._mistakes),
            }
        return without_nan(snapshot)

    def state_dict(self) -> dict[str, Any]:
        """Return counts, latest scores and curve, which continue over a restart."""
        with self._lock:
            counts = {"counts": dict(self._counts), "latest": self._latest}
            return counts | self._curve.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        with self._lock:
            self._counts = dict(state["counts"])
            self._latest = state["latest"]
            self._curve.load_state_dict(state)


class LabelsMissing:
    """Warns once when the first 100 documents of a run carry no label.

    Parameters
    ----------
    topic
        Topic of late labels, named in the warning.
    expected
        Whether late labels are expected: then there is no warning.
    """

    def __init__(self, topic: str, *, expected: bool) -> None:
        self._topic = topic
        self._documents = 0
        self._settled = expected

    def observe(self, step: Step) -> None:
        """Count the documents of a step, and warn if it is time."""
        if self._settled:
            return
        self._documents += len(step.predictions)
        if any(prediction.document.label is not None for prediction in step.predictions):
            self._settled = True
        elif self._documents >= PATIENCE:
            self._settled = True
            log.warning(
                "no document has a label, so nothing is learned: name the place of the label with"
                " --label-field (python -m consumer inspect shows the fields); or start with"
                " --late-labels if labels arrive later, on the topic that is named here",
                documents=self._documents,
                topic=self._topic,
            )
