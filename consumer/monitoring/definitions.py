"""Every metric that the consumer and its evaluator export: one place, from which docs are made.

Names follow Prometheus: base units, ``_total`` for what only grows, a unit at the end.
"""

from dataclasses import dataclass
from typing import Literal

from consumer.evaluation.evaluator import CONFUSED

MAX_LABEL_SERIES = 100
"""Labels that get a series of their own: the first to appear."""

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

LATENCY_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 86400)

Kind = Literal["gauge", "counter", "histogram"]

Group = Literal[
    "prequential",
    "experts",
    "work",
    "learning",
    "replay",
    "drift",
    "labels",
    "input",
    "commits",
    "held-out",
    "process",
]


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric: its name without ``newsreel_`` (and ``_total``), and what is said of it.

    ``buckets`` are a histogram's upper limits.
    """

    name: str
    kind: Kind
    group: Group
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exported(self) -> str:
        """Its name at ``/metrics``."""
        return f"newsreel_{self.name}" + ("_total" if self.kind == "counter" else "")


def _scores(prefix: str, group: Group, *labels: str) -> list[Definition]:
    """Define the measures that any set of predictions has."""
    return [
        Definition(f"{prefix}_{name}", "gauge", group, text, labels)
        for name, text in (
            ("macro_f1", "F1, mean over the labels"),
            ("kappa", "Cohen's kappa"),
            ("log_loss", "Cross-entropy in nats"),
            (
                "calibration_error",
                "Expected calibration error: confidence less accuracy, mean over ten bins",
            ),
        )
    ]


LEARNING = (
    Definition(
        "prequential_accuracy",
        "gauge",
        "prequential",
        "Share of documents predicted right before they were learned, by window: whole stream,"
        " last_1000, or fading (half is gone after 346)",
        ("window",),
    ),
    *_scores("prequential", "prequential", "window"),
    Definition(
        "prequential_recall",
        "gauge",
        "prequential",
        f"Recall of a label over the last 1000 documents, first {MAX_LABEL_SERIES} labels",
        ("label",),
    ),
    Definition(
        "prequential_label_share",
        "gauge",
        "prequential",
        f"Share of a label among the last 1000 documents, first {MAX_LABEL_SERIES} labels",
        ("label",),
    ),
    Definition(
        "prequential_confused",
        "gauge",
        "prequential",
        f"Documents of a label taken for another, among the last 1000; the {CONFUSED} most"
        " frequent pairs",
        ("label", "predicted"),
    ),
    Definition(
        "expert_accuracy",
        "gauge",
        "experts",
        "Accuracy of an expert by itself over the last 1000",
        ("expert",),
    ),
    *_scores("expert", "experts", "expert"),
    Definition(
        "expert_recall",
        "gauge",
        "experts",
        f"Recall of a label by an expert itself over the last 1000, first {MAX_LABEL_SERIES}"
        " labels",
        ("expert", "label"),
    ),
    Definition(
        "expert_share",
        "gauge",
        "experts",
        "How much an expert weighs in the blend; they add up to 1",
        ("expert",),
    ),
    Definition(
        "documents", "counter", "work", "Documents predicted, labelled or not", ("labelled",)
    ),
    Definition("learned_documents", "counter", "work", "New documents learned"),
    Definition("replayed_documents", "counter", "work", "Documents learned again from the buffer"),
    Definition(
        "late_labels",
        "counter",
        "labels",
        "Labels that came by themselves, by what became of them: joined (with their document),"
        " repeated, conflicting (with an earlier one), orphaned (no such document waits); and"
        " documents that waited in vain: expired",
        ("fate",),
    ),
    Definition("pending_documents", "gauge", "labels", "Documents that wait for their labels"),
    Definition("label_lag_records", "gauge", "labels", "Records waiting in the topic of labels"),
    Definition(
        "label_delay_seconds",
        "histogram",
        "labels",
        "From the time of a document's record to that of its label's",
        (),
        LATENCY_SECONDS,
    ),
    Definition(
        "repredicted_accuracy",
        "gauge",
        "labels",
        "Accuracy of the last 1000 documents as predicted just before they were learned; that at"
        " arrival is the prequential one. NaN without --late-labels",
    ),
    Definition("tokens", "counter", "work", "Tokens read by the encoder"),
    Definition(
        "label_documents",
        "counter",
        "work",
        f"Documents by their own label, first {MAX_LABEL_SERIES} labels",
        ("label",),
    ),
    Definition("learning_steps", "counter", "work", "Learning steps"),
    Definition(
        "dead_letters", "counter", "work", "Records that can't be used or learned", ("reason",)
    ),
    Definition(
        "stage_seconds",
        "histogram",
        "work",
        "Time of a stage of one step: fetch, tokenize, predict, learn, checkpoint (the pause)",
        ("stage",),
        SECONDS,
    ),
    Definition(
        "prediction_latency_seconds",
        "histogram",
        "work",
        "From the time of a record, as its producer stamped it, to its prediction",
        (),
        LATENCY_SECONDS,
    ),
    Definition("loss", "gauge", "learning", "Mean loss of the last learning step in nats"),
    Definition(
        "gradient_norm",
        "gauge",
        "learning",
        "Euclidean norm of the gradient of the last step, before it is clipped",
        ("expert",),
    ),
    Definition(
        "learning_rate",
        "gauge",
        "learning",
        "Learning rate of the last step, of the body or the head",
        ("expert", "part"),
    ),
    Definition("labels", "gauge", "learning", "Labels discovered"),
    Definition("active", "gauge", "process", "1 when it learns, 0 when it stands by for another"),
    Definition(
        "replay_ratio",
        "gauge",
        "replay",
        "Replayed documents for each new one in the last learning step",
    ),
    Definition("replay_buffer_documents", "gauge", "replay", "Documents in the replay buffer"),
    Definition("replay_buffer_capacity", "gauge", "replay", "Documents it holds at most"),
    Definition(
        "replay_buffer_age_documents",
        "gauge",
        "replay",
        "How many documents ago those in the buffer were learned, on the mean",
    ),
    Definition(
        "replay_buffer_balance",
        "gauge",
        "replay",
        "Entropy of the labels in the buffer, as a share of its most: 1 when all are alike",
    ),
    Definition(
        "drifts",
        "counter",
        "drift",
        "Changes noticed, of the prequential error or of the inputs",
        ("detector",),
    ),
    Definition(
        "drift_documents",
        "gauge",
        "drift",
        "Documents of the stream that had come when the last one was noticed; 0 for never",
        ("detector",),
    ),
    Definition(
        "forgotten_labels",
        "counter",
        "drift",
        "Labels learned anew, as they were not recognized any more",
    ),
    Definition(
        "input_distance",
        "gauge",
        "drift",
        "Squared distance of the last texts from those after the last change, in what chance makes"
        " of it",
    ),
    Definition(
        "consumer_lag_documents", "gauge", "input", "Records waiting in a partition", ("partition",)
    ),
    Definition(
        "consumer_lag_seconds",
        "gauge",
        "input",
        "How long ago the last record read of a partition was written, while others wait behind"
        " it; else 0",
        ("partition",),
    ),
    Definition("partitions", "gauge", "input", "Partitions read"),
    Definition("poll_gap_seconds", "gauge", "input", "Since the broker last answered"),
    Definition(
        "poll_retries", "counter", "input", "Reads that failed at the broker and were tried again"
    ),
    Definition(
        "lost_documents",
        "counter",
        "input",
        "Records that were deleted from the topic before they were read",
    ),
    Definition("checkpoints", "counter", "commits", "Checkpoints written and committed"),
    Definition(
        "checkpoint_failures", "counter", "commits", "Checkpoints that could not be written"
    ),
    Definition("checkpoint_bytes", "gauge", "commits", "Size of the last checkpoint"),
    Definition(
        "checkpoint_timestamp_seconds",
        "gauge",
        "commits",
        "When the last checkpoint was committed, in seconds since 1970",
    ),
    Definition(
        "commit_retries",
        "counter",
        "commits",
        "Commits that failed at the broker and were tried again",
    ),
    Definition(
        "commit_seconds",
        "histogram",
        "commits",
        "Time from the copy of all state until it is committed; learning goes on meanwhile",
        (),
        SECONDS,
    ),
    Definition("served_texts", "counter", "work", "Texts predicted for POST /predict"),
    Definition(
        "serving_seconds",
        "histogram",
        "work",
        "Time to answer POST /predict, waiting for the model included",
        (),
        SECONDS,
    ),
    Definition(
        "build_info",
        "gauge",
        "process",
        "1; its labels say what runs",
        ("version", "learner", "model", "torch", "transformers"),
    ),
)
"""Of ``python -m consumer``."""

HELD_OUT = (
    Definition(
        "heldout_accuracy",
        "gauge",
        "held-out",
        "Share of the held-out documents that the examined checkpoint predicts right",
    ),
    *_scores("heldout", "held-out"),
    Definition(
        "heldout_recall",
        "gauge",
        "held-out",
        f"Recall of a label, first {MAX_LABEL_SERIES} labels",
        ("label",),
    ),
    Definition("heldout_documents", "gauge", "held-out", "Labelled documents that are held out"),
    Definition(
        "forgetting",
        "gauge",
        "held-out",
        "Best recall of a label so far minus that of now (Chaudhry et al. 2018), first"
        f" {MAX_LABEL_SERIES} labels",
        ("label",),
    ),
    Definition("forgetting_mean", "gauge", "held-out", "Forgetting, mean over the labels"),
    Definition(
        "heldout_gap",
        "gauge",
        "held-out",
        "Prequential accuracy over the last 1000, at that checkpoint, minus held-out accuracy",
    ),
    Definition(
        "heldout_checkpoint_documents",
        "gauge",
        "held-out",
        "Documents of the stream that the examined checkpoint has predicted",
    ),
    Definition(
        "heldout_checkpoint_timestamp_seconds",
        "gauge",
        "held-out",
        "When the examined checkpoint was written, in seconds since 1970",
    ),
    Definition("heldout_evaluations", "counter", "held-out", "Checkpoints examined"),
    Definition(
        "heldout_failures",
        "counter",
        "held-out",
        "Examinations that failed: the checkpoint is broken, or the broker away",
    ),
    Definition(
        "heldout_seconds",
        "histogram",
        "held-out",
        "Time of an examination",
        (),
        (0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600),
    ),
    Definition(
        "evaluator_build_info",
        "gauge",
        "process",
        "1; its labels say what runs",
        ("version", "torch", "transformers"),
    ),
)
"""Of ``python -m consumer evaluate --watch``."""
