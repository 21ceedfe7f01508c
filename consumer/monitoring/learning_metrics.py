"""Export the steps of the loop, commits and requests as Prometheus metrics."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry

from consumer.drift.adaptation import SIGNALS
from consumer.evaluation.scores import Scores
from consumer.kafka.partition_watch import PartitionStates
from consumer.loop.labelling import LabelOutcome, OrphanReason
from consumer.loop.step import Learned, Step
from consumer.monitoring.counters import CounterFile
from consumer.monitoring.definitions import MAX_LABEL_SERIES, MEASURES
from consumer.monitoring.families import Families
from consumer.monitoring.learning_definitions import LEARNING
from consumer.records.reader import Ignored
from newsreel.events.errors import Reason


class Metrics:
    """All metrics of `LEARNING`.

    Parameters
    ----------
    registry
        Registry of the metrics.
    now
        Clock in seconds since 1970.
    """

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.time) -> None:
        self.registry = registry
        self._families = Families(LEARNING, registry)
        self._now = now
        self._file: CounterFile | None = None
        self._waits: dict[int, float] = {}  # since when records of a partition wait
        self._families.set("active", 0)

    def observe(self, step: Step) -> None:
        """Update the metrics by a step."""
        families = self._families
        self._observe_scores(step)
        for prediction, written in zip(step.predictions, step.batch.written, strict=True):
            label = prediction.document.label
            families.count("documents", 1, str(label is not None).lower())
            if written is not None:
                families.observe("prediction_latency_seconds", max(0.0, self._now() - written))
        self._count_labels(step)
        for letter in step.dead_letters:
            families.count("dead_letters", 1, str(letter.reason))
        for what, count in step.batch.ignored.items():
            families.count("ignored", count, str(what))
        families.count("tokens", step.tokens)
        if step.learned is not None:
            self._observe_learning(step.learned)
        self._observe_drift(step)
        self._observe_late_labels(step)
        families.set("labels", len(step.labels))
        families.set("replay_buffer_documents", step.replay_buffer.documents)
        families.set("replay_buffer_capacity", step.replay_buffer.capacity)
        families.set("replay_buffer_age_documents", step.replay_buffer.age)
        families.set("replay_buffer_balance", step.replay_buffer.balance)
        self._observe_lag(step)
        for stage, seconds in step.seconds.items():
            families.observe("stage_seconds", seconds, stage)

    def began(
        self,
        file: CounterFile,
        checkpoint_time: float | None,
        silence: Callable[[], float],
        overdue: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Export the counters: this consumer learns from now on.

        Parameters
        ----------
        file
            Counters to continue from.
        checkpoint_time
            When the restored checkpoint was written, in seconds since 1970; None without one.
        silence
            Returns the seconds since the broker answered; called at each scrape, as the loop may
            be waiting.
        overdue
            Returns the seconds since a commit should have succeeded; called at each scrape, too.
        """
        self._families.begin(file.read())
        # Prometheus sees no increase of a series that first appears with a value other than 0.
        for reason in Reason:
            self._families.count("dead_letters", 0, str(reason))
        for what in Ignored:
            self._families.count("ignored", 0, str(what))
        for labelled in ("true", "false"):
            self._families.count("documents", 0, labelled)
        for outcome in LabelOutcome:
            self._families.count("late_labels", 0, str(outcome))
        for orphaned in OrphanReason:
            self._families.count("orphaned_labels", 0, str(orphaned))
        for detector in SIGNALS:
            self._families.count("drifts", 0, detector)
        self._families.count("forgotten_labels", 0)
        self.records_refused(0, 0)
        self._file = file
        self._families.ask("poll_gap_seconds", silence)
        self._families.ask("commit_overdue_seconds", overdue)
        self._families.set("active", 1)
        if checkpoint_time is not None:
            self._families.set("checkpoint_timestamp_seconds", checkpoint_time)

    def keep(self) -> None:
        """Write the counters to their file; called before a scrape is answered."""
        if self._file is not None:
            self._file.write(self._families.counts)

    def describe(self, **versions: str) -> None:
        """Export the versions and names of what runs, in the order of the metric's labels."""
        self._families.set("build_info", 1, *versions.values())

    def committed(self, seconds: float, size: int) -> None:
        """Record a commit: seconds since its snapshot, bytes of its checkpoint."""
        self._families.count("checkpoints", 1)
        self._families.set("checkpoint_bytes", size)
        self._families.set("checkpoint_timestamp_seconds", self._now())
        self._families.observe("commit_seconds", seconds)
        self.keep()

    def learning_paused(self, seconds: float) -> None:
        """Record how long learning has waited for a commit."""
        self._families.observe("stage_seconds", seconds, "checkpoint")

    def checkpoint_failed(self) -> None:
        """Count a checkpoint that could not be written."""
        self._families.count("checkpoint_failures", 1)

    def commit_retried(self) -> None:
        """Count a commit that failed at the broker."""
        self._families.count("commit_retries", 1)

    def records_refused(self, changed: int, unpublished: int) -> None:
        """Count records that were sent in another form, and records that could not be sent."""
        self._families.count("refused_records", changed, "changed")
        self._families.count("refused_records", unpublished, "unpublished")

    def poll_retried(self) -> None:
        """Count a poll that failed at the broker."""
        self._families.count("poll_retries", 1)

    def records_lost(self, records: int) -> None:
        """Count records that were deleted before they were read, or are no longer there."""
        self._families.count("lost_documents", records)

    def partitions_seen(self, topic: str, states: PartitionStates) -> None:
        """Export how many partitions of a topic are in which state."""
        for state in ("leaderless", "under_replicated", "stalled", "held_back"):
            self._families.set("troubled_partitions", getattr(states, state), topic, state)
        self._families.set("held_back_records", states.records_held_back, topic)

    def served(self, texts: int, seconds: float) -> None:
        """Record a request: number of its texts, and seconds from its arrival to its answer."""
        self._families.count("served_texts", texts)
        self._families.observe("serving_seconds", seconds)

    def _observe_scores(self, step: Step) -> None:
        families, scores = self._families, step.scores
        for window, recent in (("whole", scores.whole), ("last_1000", scores.window)):
            for measure in MEASURES:
                families.set(f"prequential_{measure}", getattr(recent, measure), window)
        families.set("prequential_accuracy", scores.fading_accuracy, "fading")
        labels = step.labels[:MAX_LABEL_SERIES]
        families.replace("prequential_recall", _recalls(scores.window, labels))
        families.replace(
            "prequential_label_share",
            {
                (label,): scores.window.counts[label] / scores.window.documents
                for label in labels
                if label in scores.window.counts
            },
        )
        families.replace(
            "prequential_confused",
            {(truth, predicted): count for truth, predicted, count in scores.confused},
        )
        recalls: dict[tuple[str, ...], float] = {}
        for name, expert in scores.experts.items():
            for measure in MEASURES:
                families.set(f"expert_{measure}", getattr(expert, measure), name)
            recalls |= {(name, *key): at for key, at in _recalls(expert, labels).items()}
        families.replace("expert_recall", recalls)
        for name, share in step.expert_shares.items():
            families.set("expert_share", share, name)

    def _count_labels(self, step: Step) -> None:
        labels = set(step.labels[:MAX_LABEL_SERIES])
        for prediction in step.labelled.scored:
            if prediction.document.label in labels:
                self._families.count("label_documents", 1, prediction.document.label)

    def _observe_learning(self, learned: Learned) -> None:
        families = self._families
        families.count("learning_steps", 1)
        families.count("learned_documents", learned.documents)
        families.count("replayed_documents", learned.replayed)
        families.set("replay_ratio", learned.replayed / learned.documents)
        families.set("loss", learned.loss)
        for expert, gradient in learned.gradients.items():
            families.set("gradient_norm", gradient.norm, expert)
            for part, rate in gradient.rates.items():
                families.set("learning_rate", rate, expert, part)

    def _observe_drift(self, step: Step) -> None:
        families = self._families
        families.set("input_distance", step.drift.input_distance)
        for detector, documents in step.drift.last_detected.items():
            families.set("drift_documents", documents, detector)
        for drift in step.drift.detected:
            families.count("forgotten_labels", len(drift.forgotten))
            if not drift.forgotten:
                families.count("drifts", 1, drift.detector)

    def _observe_late_labels(self, step: Step) -> None:
        families = self._families
        for outcome, count in step.labelled.outcomes.items():
            families.count("late_labels", count, str(outcome))
        for joined in step.labelled.joined:
            if joined.seconds is not None:
                families.observe("label_delay_seconds", joined.seconds)
        for orphan in step.labelled.orphans:
            families.count("orphaned_labels", 1, str(orphan.reason))
        families.set("pending_documents", step.labelled.pending)
        families.set("early_labels", step.labelled.early)
        families.set("label_lag_records", step.batch.label_lag)
        accuracy = math.nan if step.repredicted is None else step.repredicted.accuracy
        families.set("repredicted_accuracy", accuracy)

    def _observe_lag(self, step: Step) -> None:
        waiting = {partition for partition, records in step.batch.lag.items() if records}
        self._waits = {partition: self._waits.get(partition, self._now()) for partition in waiting}
        seconds = {
            partition: max(
                0.0, self._now() - step.batch.reached.get(partition, self._waits[partition])
            )
            if partition in waiting
            else 0.0
            for partition in step.batch.lag
        }
        for name, lag in (
            ("consumer_lag_documents", step.batch.lag),
            ("consumer_lag_seconds", seconds),
        ):
            self._families.replace(
                name, {(str(partition),): value for partition, value in lag.items()}
            )
        self._families.set("partitions", len(step.batch.positions))


def _recalls(scores: Scores, labels: Sequence[str]) -> Mapping[tuple[str, ...], float]:
    return {(label,): scores.recall[label] for label in labels if label in scores.recall}
