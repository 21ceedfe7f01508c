"""What runs beside learning: checkpoints, serving, examining; and what went wrong."""

from boards.board import Row
from boards.panels import (
    GREEN,
    LOGARITHMIC,
    RED,
    YELLOW,
    facts,
    graph,
    number,
    query,
    spread,
    steps,
)
from boards.promql import CONSUMER, EVALUATOR, PRODUCER, in_five_minutes, per_second


def checkpoints() -> list[Row]:
    """Show how much is saved, how often, and what it takes."""
    age = graph(
        "Age of the last checkpoint",
        "What a crash now would have learned again. It rises without end while nothing comes:"
        " then there is nothing to save.",
        query(f"time() - (max(newsreel_checkpoint_timestamp_seconds{CONSUMER}) > 0)", "age"),
        unit="s",
        min=0,
    )
    duration = graph(
        "Time to commit",
        "From the copy of all state until it is committed, over five minutes. Learning goes on"
        " meanwhile.",
        *spread("newsreel_commit_seconds"),
        unit="s",
        min=0,
    )
    size = graph(
        "Size of a checkpoint",
        "Grows with labels and the replay buffer, then levels off.",
        query(f"max(newsreel_checkpoint_bytes{CONSUMER})", "size"),
        unit="bytes",
        min=0,
    )
    outcomes = graph(
        "Commits in five minutes",
        "Checkpoints that were committed, that could not be written (is the disk full?), and"
        " commits that the broker did not take at once.",
        query(in_five_minutes("newsreel_checkpoints_total"), "committed"),
        query(in_five_minutes("newsreel_checkpoint_failures_total"), "failed"),
        query(in_five_minutes("newsreel_commit_retries_total"), "tried again"),
        unit="short",
        min=0,
    )
    return [(8, [(6, age), (6, duration), (6, size), (6, outcomes)])]


def faults() -> list[Row]:
    """Show what went wrong, by where."""
    letters = graph(
        "Dead letters per second",
        "Records that could not be used, by reason. They are in the dead-letter topic, with the"
        " details in their headers.",
        query(per_second("newsreel_dead_letters_total", CONSUMER, "reason"), "{{reason}}"),
        unit="suffix:/s",
        min=0,
        noValue="none",
    )
    lost = number(
        "Lost documents",
        "Records that were deleted from the topic before they were read, since the stream began."
        " Retention was too short, or the consumer stood still too long.",
        query(f"max(newsreel_lost_documents_total{CONSUMER})", "lost"),
        unit="short",
        **steps(GREEN, (1, RED)),
    )
    broker = graph(
        "Silence of the broker",
        "How long ago the broker last answered the consumer.",
        query(f"max(newsreel_poll_gap_seconds{CONSUMER})", "silence"),
        unit="s",
        min=0,
    )
    retries = graph(
        "Retries in five minutes",
        "Reads that failed at the broker and were tried again.",
        query(in_five_minutes("newsreel_poll_retries_total"), "reads"),
        unit="short",
        min=0,
    )
    refused = number(
        "Not published",
        "Documents that the producer could not publish: larger than the topic takes, or not fit"
        " for the wire.",
        query(
            f"sum(newsreel_producer_failed_total{PRODUCER}"
            f" + newsreel_producer_skipped_total{PRODUCER})",
            "refused",
        ),
        unit="short",
        noValue="no producer",
        **steps(GREEN, (1, YELLOW)),
    )
    return [(8, [(8, letters), (4, lost), (4, refused), (4, broker), (4, retries)])]


def serving() -> list[Row]:
    """Show who else asks the model."""
    texts = graph(
        "Texts served per second",
        "Texts predicted for POST /predict and the live page.",
        query(per_second("newsreel_served_texts_total"), "texts"),
        unit="suffix:/s",
        min=0,
    )
    answer = graph(
        "Time to answer",
        "Of POST /predict, waiting for the model included; over five minutes.",
        *spread("newsreel_serving_seconds"),
        custom=LOGARITHMIC,
        unit="s",
        noValue="nobody asked",
    )
    return [(8, [(12, texts), (12, answer)])]


def evaluator() -> list[Row]:
    """Show whether the evaluator keeps up with checkpoints."""
    followed = graph(
        "Predicted and examined",
        "Documents of the stream that the consumer has predicted, and those that the examined"
        " checkpoint had. The evaluator keeps up if its line follows in steps.",
        query(f"sum(newsreel_documents_total{CONSUMER})", "predicted"),
        query(f"max(newsreel_heldout_checkpoint_documents{EVALUATOR})", "examined"),
        unit="short",
        min=0,
    )
    lateness = graph(
        "Behind the newest checkpoint",
        "Time between the newest checkpoint and the one that was examined last.",
        query(
            f"clamp_min(max(newsreel_checkpoint_timestamp_seconds{CONSUMER}) - max("
            f"newsreel_heldout_checkpoint_timestamp_seconds{EVALUATOR} > 0), 0)",
            "behind",
        ),
        unit="s",
        min=0,
        noValue="not examined",
    )
    duration = graph(
        "Time of an examination",
        "Over five minutes. The first computes what the frozen layers say of each held-out"
        " document; later ones find that in a cache.",
        *spread("newsreel_heldout_seconds", EVALUATOR),
        custom=LOGARITHMIC,
        unit="s",
        noValue="not examined",
    )
    outcomes = graph(
        "Examinations in five minutes",
        "Checkpoints that were examined, and examinations that failed and are tried again.",
        query(in_five_minutes("newsreel_heldout_evaluations_total", EVALUATOR), "examined"),
        query(in_five_minutes("newsreel_heldout_failures_total", EVALUATOR), "failed"),
        unit="short",
        min=0,
        noValue="not examined",
    )
    documents = number(
        "Held out",
        "Labelled documents that are held out and never learned. The more, the less chance is in"
        " their accuracy.",
        query(f"max(newsreel_heldout_documents{EVALUATOR})", "documents"),
        unit="short",
        noValue="not examined",
    )
    return [(8, [(6, followed), (5, lateness), (5, duration), (5, outcomes), (3, documents)])]


def versions() -> list[Row]:
    """Say what runs."""
    consumer = facts(
        "Consumer",
        "What learns, and in which versions.",
        f"newsreel_build_info{CONSUMER}",
        ["instance", "version", "learner", "model", "torch", "transformers"],
    )
    evaluator = facts(
        "Evaluator",
        "What examines, and in which versions.",
        f"newsreel_evaluator_build_info{EVALUATOR}",
        ["instance", "version", "torch", "transformers"],
    )
    partitions = number(
        "Partitions",
        "Partitions of the topic that are read.",
        query(f"max(newsreel_partitions{CONSUMER})", "partitions"),
        unit="short",
    )
    return [(5, [(12, consumer), (8, evaluator), (4, partitions)])]
