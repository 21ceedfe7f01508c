"""How a run is going: what the summary, the plot and the terminal show."""

import math
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import structlog

from consumer.evaluation.scores import Scores
from consumer.loop.step import Step
from newsreel.common.json_file import without_nan
from newsreel.events.errors import Reason

CURVE_POINTS = 400
"""Most points kept of the accuracy over the stream; older ones are thinned out evenly."""

MISTAKES = 50

EXCERPT_CHARACTERS = 300

RECENT_STEPS = 200
"""Steps of which the pace is told."""

PATIENCE = 100
"""Documents that may come without a label before it is said that nothing can be learned."""

log = structlog.get_logger()


class Progress:
    """Counts, the accuracy curve and the latest mistakes; follows the loop's steps.

    Parameters
    ----------
    clock
        Seconds that only go forward.
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
        self._curve: list[tuple[int, float, float]] = []
        self._stride = 1
        self._mistakes: deque[dict[str, Any]] = deque(maxlen=MISTAKES)
        self._latest: dict[str, Any] = {
            "labels": 0,
            "replay_buffer": 0,
            "prequential": None,
            "shares": {},
        }
        self._lag: int | None = None
        self._pending: int | None = None
        self.checkpoint: str | None = None
        """Id of the last checkpoint that was committed."""

    @property
    def documents(self) -> int:
        """Documents predicted since the stream began."""
        return self._counts["documents"]

    @property
    def records(self) -> int:
        """Records used or found unusable since the stream began."""
        unusable = self._counts["dead_letters"] - self._counts["quarantined"]
        return self._counts["documents"] + unusable

    @property
    def steps(self) -> int:
        """Learning steps since the stream began: what version of the model this is."""
        return self._counts["steps"]

    def observe(self, step: Step) -> None:
        """Take in a step."""
        now = self._clock()
        with self._lock:
            if step.predictions:  # waiting is not work
                if self._started is None:
                    self._started = now - step.seconds["predict"] - step.seconds["learn"]
                self._seconds = now - self._started
                work = sum(seconds for stage, seconds in step.seconds.items() if stage != "fetch")
                self._recent.append((len(step.predictions), work))
            self._documents_this_run += len(step.predictions)
            self._counts["documents"] += len(step.predictions)
            self._counts["dead_letters"] += len(step.dead_letters)
            self._counts["quarantined"] += sum(
                letter.reason is Reason.DIVERGED for letter in step.dead_letters
            )
            if step.learned is not None:
                self._counts["steps"] += 1
                self._counts["learned"] += step.learned.documents
                self._counts["replayed"] += step.learned.replayed
            self._remember_mistakes(step)
            self._extend_curve(step)
            self._lag = sum(step.batch.lag.values())
            if step.repredicted is not None:  # labels may come later
                self._pending = step.labelled.pending
            self._latest = without_nan(
                {
                    "labels": len(step.labels),
                    "replay_buffer": step.replay_buffer.documents,
                    "prequential": asdict(step.scores),
                    # A step without documents has none.
                    "shares": dict(step.expert_shares) or self._latest["shares"],
                }
            )

    def _remember_mistakes(self, step: Step) -> None:
        self._counts["unlabelled"] += sum(one.document.label is None for one in step.predictions)
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

    def _extend_curve(self, step: Step) -> None:
        scored = step.scores.whole.documents
        if scored == 0 or (self._curve and scored < self._curve[-1][0] + self._stride):
            return
        self._curve.append((scored, step.scores.whole.accuracy, step.scores.window.accuracy))
        if len(self._curve) > CURVE_POINTS:
            self._curve = self._curve[1::2]
            self._stride = self._curve[1][0] - self._curve[0][0]

    def snapshot(self) -> dict[str, Any]:
        """Return everything known now, ready for JSON: `null` stands for "not known yet".

        ``documents_per_second`` is of the whole run, ``pace`` of the last steps, of which waiting
        is no part: what could be done.
        """
        with self._lock:
            rate = self._documents_this_run / self._seconds if self._seconds else math.nan
            documents, work = map(sum, zip(*self._recent, strict=True)) if self._recent else (0, 0)
            shown: dict[str, Any] = {
                **self._counts,
                "documents_per_second": rate,
                "pace": documents / work if work else math.nan,
                **self._latest,
                "lag": self._lag,
                "pending": self._pending,
                "curve": list(self._curve),
                "mistakes": list(self._mistakes),
            }
        return without_nan(shown)

    def summary(self, heldout: Scores | None, **about: Any) -> dict[str, Any]:
        """Return the results of a run, ready for JSON."""
        now = self.snapshot()
        scores = now["prequential"] or {"whole": {}, "window": {}}
        summary = {
            **about,
            "documents": now["documents"],
            "unlabelled_documents": now["unlabelled"],
            "learned_documents": now["learned"],
            "replayed_documents": now["replayed"],
            "pending_documents": now["pending"],
            "dead_letters": now["dead_letters"],
            "quarantined_documents": now["quarantined"],
            "labels": now["labels"],
            "prequential_accuracy": scores["whole"].get("accuracy"),
            "prequential_accuracy_last_1000": scores["window"].get("accuracy"),
            "prequential_macro_f1": scores["whole"].get("macro_f1"),
            "prequential_kappa": scores["whole"].get("kappa"),
            "prequential_log_loss": scores["whole"].get("log_loss"),
            "recall_last_1000": scores["window"].get("recall"),
            "experts_accuracy_last_1000": {
                name: expert["accuracy"] for name, expert in scores.get("experts", {}).items()
            },
            "experts_share": now["shares"],
            "heldout_accuracy": heldout.accuracy if heldout else None,
            "heldout_macro_f1": heldout.macro_f1 if heldout else None,
            "heldout_documents": heldout.documents if heldout else 0,
            "documents_per_second": now["documents_per_second"],
            "peak_rss_mb": peak_rss_mb(),
            "curve": now["curve"],
        }
        return without_nan(summary)

    def state_dict(self) -> dict[str, Any]:
        """Return counts and curve: they continue over a restart."""
        with self._lock:
            return {
                "counts": dict(self._counts),
                "latest": self._latest,
                "curve": list(self._curve),
                "stride": self._stride,
            }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        with self._lock:
            self._counts = dict(state["counts"])
            self._latest = state["latest"]
            self._curve = [(n, whole, window) for n, whole, window in state["curve"]]
            self._stride = state["stride"]


def peak_rss_mb() -> float:
    """Most memory this process has had resident, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


class LabelsMissing:
    """Says so when the first documents of a run come without labels, as nothing waits for them.

    Parameters
    ----------
    topic
        Where labels would be that come later.
    expected
        Whether they are waited for.
    """

    def __init__(self, topic: str, *, expected: bool) -> None:
        self._topic = topic
        self._documents = 0
        self._settled = expected

    def observe(self, step: Step) -> None:
        """Take in a step."""
        if self._settled:
            return
        self._documents += len(step.predictions)
        if any(one.document.label is not None for one in step.predictions):
            self._settled = True
        elif self._documents >= PATIENCE:
            self._settled = True
            log.warning(
                "no document has a label, so nothing is learned: if labels come later, on the"
                " topic that is named here, start with --late-labels",
                documents=self._documents,
                topic=self._topic,
            )
