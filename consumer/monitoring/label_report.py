"""Report late labels that find no document."""

import time
from collections import Counter
from collections.abc import Callable

import structlog

from consumer.loop.labelling import OrphanReason
from consumer.loop.step import Step

REPORT_SECONDS = 60.0
"""Shortest time between two lines about orphaned labels; and the time after which labels that wait
are reported, once both topics are read to their ends."""

OTHER_IDS = (
    "no document with the id of these late labels was read: name the place of the id with"
    " --id-field, unless the labels belong to documents of another topic"
)

ORPHANED = {
    OrphanReason.EXPIRED: "labels orphaned: their documents were no longer kept when these late"
    " labels were read: raise --pending-capacity, unless so late labels may be lost",
    OrphanReason.NO_DOCUMENT: f"labels orphaned: {OTHER_IDS}",
}

WAITING = f"late labels wait for documents: {OTHER_IDS}"

log = structlog.get_logger()


class LabelReport:
    """Logs why late labels are not joined, and that labels wait for documents that do not come.

    Parameters
    ----------
    topic
        Topic of the labels, named in the log.
    clock
        Seconds that only go forward.
    """

    def __init__(self, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._clock = clock
        self._orphans: Counter[OrphanReason] = Counter()
        self._example: dict[OrphanReason, str] = {}
        self._reported: float | None = None
        self._read_since: float | None = None
        self._waiting = 0
        self._waiting_reported = False

    def observe(self, step: Step) -> None:
        """Count the orphaned labels of a step, and log if it is time."""
        for orphan in step.labelled.orphans:
            self._orphans[orphan.reason] += 1
            self._example[orphan.reason] = orphan.id
        now = self._clock()
        if self._reported is None or now >= self._reported + REPORT_SECONDS:
            self._report_orphans(now)
        self._waiting = step.labelled.early
        if not self._waiting or step.batch.label_lag or sum(step.batch.lag.values()):
            self._read_since = None
            self._waiting_reported &= self._waiting > 0
        elif self._read_since is None:
            self._read_since = now
        elif now >= self._read_since + REPORT_SECONDS and not self._waiting_reported:
            self._report_waiting()

    def finish(self) -> None:
        """Log what was not logged yet, at the end of a run."""
        self._report_orphans(self._clock())
        if self._waiting and not self._waiting_reported:
            self._report_waiting()

    def _report_orphans(self, now: float) -> None:
        for reason, count in self._orphans.items():
            log.warning(
                ORPHANED[reason],
                labels=count,
                topic=self._topic,
                example=self._example[reason],
            )
            self._reported = now
        self._orphans.clear()

    def _report_waiting(self) -> None:
        log.warning(
            WAITING,
            labels=self._waiting,
            topic=self._topic,
        )
        self._waiting_reported = True
