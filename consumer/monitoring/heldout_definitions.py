"""Define the metrics of ``python -m consumer evaluate --watch``."""

from consumer.monitoring.definitions import FIRST_LABELS, counter, gauge, histogram, scores

EVALUATION_SECONDS = (0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600)

HELD_OUT = (
    gauge(
        "held-out",
        "heldout_accuracy",
        "Share of the held-out documents that the evaluated checkpoint predicts right",
    ),
    *scores("held-out", "heldout"),
    gauge("held-out", "heldout_recall", f"Recall of a label, {FIRST_LABELS}", "label"),
    gauge("held-out", "heldout_documents", "Labelled held-out documents"),
    gauge(
        "held-out",
        "forgetting",
        "Best recall of a label so far minus its recall now (Chaudhry et al. 2018),"
        f" {FIRST_LABELS}",
        "label",
    ),
    gauge("held-out", "forgetting_mean", "Forgetting, mean over the labels"),
    gauge(
        "held-out",
        "heldout_gap",
        "Prequential accuracy over the last 1000 documents before the checkpoint, minus held-out"
        " accuracy",
    ),
    gauge(
        "held-out",
        "heldout_checkpoint_documents",
        "Documents of the stream that the evaluated checkpoint has predicted",
    ),
    gauge(
        "held-out",
        "heldout_checkpoint_timestamp_seconds",
        "When the evaluated checkpoint was written, in seconds since 1970",
    ),
    counter("held-out", "heldout_evaluations", "Checkpoints evaluated"),
    counter(
        "held-out",
        "heldout_failures",
        "Evaluations that failed: the checkpoint is broken, or the broker away",
    ),
    histogram("held-out", "heldout_seconds", "Time of an evaluation", EVALUATION_SECONDS),
    gauge(
        "process",
        "evaluator_build_info",
        "1; the labels name the versions",
        "version",
        "torch",
        "transformers",
    ),
)
"""All metrics of ``python -m consumer evaluate --watch``."""
