"""Prometheus metrics: their definitions, and how a step moves them."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumer.prequential import Step
from consumer.tally import Scores

MAX_LABEL_SERIES = 100
"""Labels that get a series of their own: the first to appear. The others count in the rest."""
STAGE_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Everything exported at ``/metrics``, in base units.

    Parameters
    ----------
    registry
        Where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"newsreel_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"newsreel_{name}", text, labels, registry=registry)

        self._accuracy = gauge(
            "prequential_accuracy",
            "Share of documents predicted right before they were learned, by window"
            " (whole stream, last 1000, fading factor)",
            "window",
        )
        self._macro_f1 = gauge("prequential_macro_f1", "F1, mean over the labels", "window")
        self._kappa = gauge("prequential_kappa", "Cohen's kappa", "window")
        self._log_loss = gauge("prequential_log_loss", "Cross-entropy in nats", "window")
        self._recall = gauge(
            "prequential_recall",
            f"Recall of a label over the last 1000 documents, first {MAX_LABEL_SERIES} labels",
            "label",
        )
        self._expert_accuracy = gauge(
            "expert_accuracy", "Accuracy of an expert by itself over the last 1000", "expert"
        )
        self._expert_log_loss = gauge(
            "expert_log_loss", "Cross-entropy of an expert by itself over the last 1000", "expert"
        )
        self._expert_share = gauge(
            "expert_share", "How much an expert weighs in the blend; they add up to 1", "expert"
        )
        self._documents = counter("documents", "Documents predicted, labelled or not", "labelled")
        self._learned = counter("learned_documents", "New documents learned")
        self._replayed = counter("replayed_documents", "Documents learned again from the buffer")
        self._dead_letters = counter(
            "dead_letters", "Records that can't be used or learned", "reason"
        )
        self._steps = counter("learning_steps", "Optimizer steps")
        self._loss = gauge("loss", "Mean cross-entropy of the last learning step in nats")
        self._labels = gauge("labels", "Labels discovered")
        self._replay_buffer = gauge("replay_buffer_documents", "Documents in the replay buffer")
        self._replay_ratio = gauge(
            "replay_ratio", "Replayed documents for each new one in the last learning step"
        )
        self._lag = gauge("consumer_lag_documents", "Records waiting in a partition", "partition")
        self._checkpoints = counter("checkpoints", "Checkpoints written and committed")
        self._checkpoint_failures = counter(
            "checkpoint_failures", "Checkpoints that could not be written"
        )
        self._checkpoint_bytes = gauge("checkpoint_bytes", "Size of the last checkpoint")
        self._commit_retries = counter(
            "commit_retries", "Commits that failed at the broker and were tried again"
        )
        self._commit = Histogram(
            "newsreel_commit_seconds",
            "Time from the copy of all state until it is committed; learning goes on meanwhile",
            buckets=STAGE_SECONDS,
            registry=registry,
        )
        self._lost = gauge(
            "lost_documents", "Records that were deleted from the topic before they were read"
        )
        self._active = gauge("active", "1 when it learns, 0 when it stands by for another")
        self._active.set(0)
        self._stage = Histogram(
            "newsreel_stage_seconds",
            "Time of a stage of one step",
            ["stage"],
            buckets=STAGE_SECONDS,
            registry=registry,
        )

    def observe(self, step: Step) -> None:
        """Take in a step."""
        self._observe_scores("whole", step.scores.whole)
        self._observe_scores("last_1000", step.scores.window)
        self._accuracy.labels("fading").set(step.scores.fading_accuracy)
        self._recall.clear()  # a label that has left the window has no recall
        for label in step.labels[:MAX_LABEL_SERIES]:
            if label in step.scores.window.recall:
                self._recall.labels(label).set(step.scores.window.recall[label])
        for name, scores in step.scores.experts.items():
            self._expert_accuracy.labels(name).set(scores.accuracy)
            self._expert_log_loss.labels(name).set(scores.log_loss)
        for name, share in step.shares.items():
            self._expert_share.labels(name).set(share)
        for prediction in step.predictions:
            labelled = prediction.document.label is not None
            self._documents.labels(str(labelled).lower()).inc()
        for letter in step.dead_letters:
            self._dead_letters.labels(str(letter.reason)).inc()
        if step.learned is not None:
            self._steps.inc()
            self._learned.inc(step.learned.documents)
            self._replayed.inc(step.learned.replayed)
            self._replay_ratio.set(step.learned.replayed / step.learned.documents)
            self._loss.set(step.learned.loss)
        self._labels.set(len(step.labels))
        self._replay_buffer.set(step.remembered)
        self._observe_lag(step.lag)
        for stage, seconds in step.seconds.items():
            self._stage.labels(stage).observe(seconds)

    def began(self) -> None:
        """Take in that this consumer is the one that learns."""
        self._active.set(1)

    def committed(self, seconds: float, size: int) -> None:
        """Take in a commit: seconds from the snapshot on, bytes of its checkpoint."""
        self._checkpoints.inc()
        self._checkpoint_bytes.set(size)
        self._commit.observe(seconds)

    def paused(self, seconds: float) -> None:
        """Take in how long learning has waited for a commit."""
        self._stage.labels("checkpoint").observe(seconds)

    def failed(self) -> None:
        """Take in a checkpoint that could not be written."""
        self._checkpoint_failures.inc()

    def retried(self) -> None:
        """Take in a commit that the broker did not take."""
        self._commit_retries.inc()

    def lost(self, records: int) -> None:
        """Take in how many records were lost in this run."""
        self._lost.set(records)

    def _observe_scores(self, window: str, scores: Scores) -> None:
        self._accuracy.labels(window).set(scores.accuracy)
        self._macro_f1.labels(window).set(scores.macro_f1)
        self._kappa.labels(window).set(scores.kappa)
        self._log_loss.labels(window).set(scores.log_loss)

    def _observe_lag(self, lag: Mapping[int, int]) -> None:
        self._lag.clear()
        for partition, records in lag.items():
            self._lag.labels(str(partition)).set(records)
