"""Define the metrics of ``python -m consumer``."""

from consumer.evaluation.evaluator import CONFUSED
from consumer.monitoring.definitions import (
    FIRST_LABELS,
    counter,
    gauge,
    histogram,
    scores,
)

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

LATENCY_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 86400)

PREQUENTIAL = (
    gauge(
        "prequential",
        "prequential_accuracy",
        "Share of documents predicted right before they were learned, by window: whole stream,"
        " last_1000, or fading (a document's weight halves after 346 more)",
        "window",
    ),
    *scores("prequential", "prequential", "window"),
    gauge(
        "prequential",
        "prequential_recall",
        f"Recall of a label over the last 1000 documents, {FIRST_LABELS}",
        "label",
    ),
    gauge(
        "prequential",
        "prequential_label_share",
        f"Share of a label among the last 1000 documents, {FIRST_LABELS}",
        "label",
    ),
    gauge(
        "prequential",
        "prequential_confused",
        "Documents of a label predicted as another label, among the last 1000; the"
        f" {CONFUSED} most frequent pairs",
        "label",
        "predicted",
    ),
    gauge(
        "experts",
        "expert_accuracy",
        "Accuracy of an expert alone over the last 1000 documents",
        "expert",
    ),
    *scores("experts", "expert", "expert"),
    gauge(
        "experts",
        "expert_recall",
        f"Recall of a label by an expert alone over the last 1000 documents, {FIRST_LABELS}",
        "expert",
        "label",
    ),
    gauge(
        "experts", "expert_share", "Weight of an expert in the blend; weights add up to 1", "expert"
    ),
)

WORK = (
    counter("work", "documents", "Documents predicted, labelled or not", "labelled"),
    counter("work", "learned_documents", "New documents learned"),
    counter("work", "replayed_documents", "Documents learned again from the replay buffer"),
    counter("work", "tokens", "Tokens read by the encoder"),
    counter("work", "label_documents", f"Documents by their own label, {FIRST_LABELS}", "label"),
    counter("work", "learning_steps", "Learning steps"),
    counter("work", "dead_letters", "Records that are not usable or not learnable", "reason"),
    counter(
        "work",
        "ignored",
        "Tombstones (records without a value, and deletions of a database), and times of documents"
        " that can't be understood",
        "what",
    ),
    histogram(
        "work",
        "stage_seconds",
        "Time of a stage of one step: fetch, tokenize, predict, learn, checkpoint (the pause)",
        SECONDS,
        "stage",
    ),
    histogram(
        "work",
        "prediction_latency_seconds",
        "From the timestamp of a document's record to its prediction",
        LATENCY_SECONDS,
    ),
    counter("work", "served_texts", "Texts predicted for POST /predict"),
    histogram(
        "work",
        "serving_seconds",
        "Time to answer POST /predict, including the wait for the model",
        SECONDS,
    ),
)

LATE_LABELS = (
    counter(
        "labels",
        "late_labels",
        "Labels from the topic of labels, by outcome: joined (with their document), repeated,"
        " conflicting (with an earlier label), orphaned (its document does not wait, or never"
        " came); documents that were pending in vain: expired; and documents that share an id while"
        " they are pending, and labels of such an id: ambiguous",
        "fate",
    ),
    counter(
        "labels",
        "orphaned_labels",
        "Labels that are not joined, by reason: document-expired (more documents than"
        " --pending-capacity came before the label), no-document (no document of that id was read"
        " before as many other labels came)",
        "reason",
    ),
    gauge("labels", "pending_documents", "Documents that wait for their labels"),
    gauge("labels", "early_labels", "Labels that wait for their documents"),
    gauge("labels", "label_lag_records", "Records waiting in the topic of labels"),
    histogram(
        "labels",
        "label_delay_seconds",
        "From the timestamp of a document's record to that of its label's record, where the label's"
        " is later",
        LATENCY_SECONDS,
    ),
    gauge(
        "labels",
        "repredicted_accuracy",
        "Accuracy of the last 1000 documents as predicted just before they were learned;"
        " prequential accuracy is that on arrival. NaN without --late-labels",
    ),
)

MODEL = (
    gauge("learning", "loss", "Mean loss of the last learning step in nats"),
    gauge(
        "learning",
        "gradient_norm",
        "Euclidean norm of the gradient of the last step, before clipping",
        "expert",
    ),
    gauge(
        "learning",
        "learning_rate",
        "Learning rate of the last step, of the body or the head",
        "expert",
        "part",
    ),
    gauge("learning", "labels", "Labels discovered"),
    gauge(
        "replay",
        "replay_ratio",
        "Replayed documents for each new document in the last learning step",
    ),
    gauge("replay", "replay_buffer_documents", "Documents in the replay buffer"),
    gauge("replay", "replay_buffer_capacity", "Largest number of documents in the replay buffer"),
    gauge(
        "replay",
        "replay_buffer_age_documents",
        "Mean age of the documents in the buffer, in documents learned since",
    ),
    gauge(
        "replay",
        "replay_buffer_balance",
        "Entropy of the labels in the buffer divided by its maximum: 1 when all are equally"
        " frequent",
    ),
)

DRIFT = (
    counter(
        "drift",
        "drifts",
        "Changes detected, of the prequential error or of the inputs",
        "detector",
    ),
    gauge(
        "drift",
        "drift_documents",
        "Documents of the stream at the last detected change; 0 for never",
        "detector",
    ),
    counter(
        "drift",
        "forgotten_labels",
        "Labels that were no longer recognized and are learned again",
    ),
    gauge(
        "drift",
        "input_distance",
        "Squared distance of the last texts from those after the last change, divided by the"
        " distance expected by chance",
    ),
)

INPUT = (
    gauge(
        "input",
        "consumer_lag_documents",
        "Records waiting in a partition, those of open transactions too",
        "partition",
    ),
    gauge(
        "input",
        "consumer_lag_seconds",
        "Age of the last record read of a partition, while others wait after it; else 0. Before the"
        " first record, the time for which some have waited",
        "partition",
    ),
    gauge("input", "partitions", "Partitions read"),
    gauge("input", "poll_gap_seconds", "Time since the broker last answered"),
    counter("input", "poll_retries", "Polls that failed at the broker and were tried again"),
    counter(
        "input",
        "lost_documents",
        "Records that retention deleted before they were read, or that a leader election removed"
        " after they were",
    ),
    gauge(
        "input",
        "troubled_partitions",
        "Partitions in a state that keeps records from being read, or soon may: leaderless,"
        " under_replicated, stalled (not fetched), held_back (by an open transaction)",
        "topic",
        "state",
    ),
    gauge(
        "input",
        "held_back_records",
        "Records that wait behind open transactions of their producers",
        "topic",
    ),
)

COMMITS = (
    counter("commits", "checkpoints", "Checkpoints written and committed"),
    counter("commits", "checkpoint_failures", "Checkpoints that could not be written"),
    gauge("commits", "checkpoint_bytes", "Size of the last checkpoint"),
    gauge(
        "commits",
        "checkpoint_timestamp_seconds",
        "When the last checkpoint was committed, in seconds since 1970",
    ),
    gauge(
        "commits",
        "commit_overdue_seconds",
        "Time since a commit should have succeeded; 0 while none is missing",
    ),
    counter("commits", "commit_retries", "Commits that failed at the broker and were tried again"),
    counter(
        "commits",
        "refused_records",
        "Predictions, dead letters and drifts that their topic refuses as they are: changed (sent"
        " with a key, or without large parts) or unpublished (refused in every form)",
        "fate",
    ),
    histogram(
        "commits",
        "commit_seconds",
        "Time from the copy of all state to its commit; learning continues meanwhile",
        SECONDS,
    ),
)

PROCESS = (
    gauge("process", "active", "1 while this consumer learns, 0 while it stands by"),
    gauge(
        "process",
        "build_info",
        "1; the labels name the versions",
        "version",
        "learner",
        "model",
        "torch",
        "transformers",
    ),
)

LEARNING = (*PREQUENTIAL, *WORK, *LATE_LABELS, *MODEL, *DRIFT, *INPUT, *COMMITS, *PROCESS)
"""All metrics of ``python -m consumer``."""
