"""What runs beside learning: checkpoints, serving, evaluation and faults."""

from boards.board import PanelRow
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


def checkpoints() -> list[PanelRow]:
    """Build the panels of checkpoints and commits."""
    age = graph(
        "Age of the last checkpoint",
        "Time since the last commit. After a crash, the work of this time is repeated. The value"
        " rises while no documents arrive, because there is nothing to save.",
        query(f"time() - (max(newsreel_checkpoint_timestamp_seconds{CONSUMER}) > 0)", "age"),
        unit="s",
        min=0,
    )
    duration = graph(
        "Time to commit",
        "Time from the copy of all state to its commit, over five minutes. Learning continues"
        " during that time.",
        *spread("newsreel_commit_seconds"),
        unit="s",
        min=0,
    )
    size = graph(
        "Size of a checkpoint",
        "Size of the last checkpoint. It grows with labels and the replay buffer, then levels off.",
        query(f"max(newsreel_checkpoint_bytes{CONSUMER})", "size"),
        unit="bytes",
        min=0,
    )
    outcomes = graph(
        "Commits in five minutes",
        "Checkpoints that were committed, checkpoints that could not be written (is the disk"
        " full?), and commits that were retried at the broker.",
        query(in_five_minutes("newsreel_checkpoints_total"), "committed"),
        query(in_five_minutes("newsreel_checkpoint_failures_total"), "failed"),
        query(in_five_minutes("newsreel_commit_retries_total"), "retried"),
        unit="short",
        min=0,
    )
    return [(8, [(6, age), (6, duration), (6, size), (6, outcomes)])]


def faults() -> list[PanelRow]:
    """Build the panels of dead letters, losses and retries."""
    letters = graph(
        "Dead letters per second",
        "Records that could not be decoded or learned, by reason. They are in the dead-letter"
        " topic, with details in their headers. Tombstones, and times that can't be understood, are"
        " left out without harm.",
        query(per_second("newsreel_dead_letters_total", CONSUMER, "reason"), "{{reason}}"),
        query(per_second("newsreel_ignored_total", CONSUMER, "what"), "left out: {{what}}"),
        unit="suffix:/s",
        min=0,
        noValue="none",
    )
    lost = number(
        "Lost documents",
        "Records that were deleted from the topic before they were read, since the stream began."
        " Retention was too short, or the consumer was stopped for too long.",
        query(f"max(newsreel_lost_documents_total{CONSUMER})", "lost"),
        unit="short",
        **steps(GREEN, (1, RED)),
    )
    broker = graph(
        "Silence of the broker",
        "Time since the broker last answered the consumer.",
        query(f"max(newsreel_poll_gap_seconds{CONSUMER})", "silence"),
        unit="s",
        min=0,
    )
    retries = graph(
        "Retries in five minutes",
        "Reads that failed at the broker and were retried.",
        query(in_five_minutes("newsreel_poll_retries_total"), "reads"),
        unit="short",
        min=0,
    )
    refused = number(
        "Not published",
        "Documents that the producer could not publish: larger than the topic accepts, or against"
        " the wire contract.",
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


def serving() -> list[PanelRow]:
    """Build the panels of requests to the model."""
    texts = graph(
        "Texts served per second",
        "Texts predicted for POST /predict and the live page.",
        query(per_second("newsreel_served_texts_total"), "texts"),
        unit="suffix:/s",
        min=0,
    )
    answer = graph(
        "Time to answer",
        "Time to answer POST /predict, including the wait for the model, over five minutes.",
        *spread("newsreel_serving_seconds"),
        custom=LOGARITHMIC,
        unit="s",
        noValue="no requests",
    )
    return [(8, [(12, texts), (12, answer)])]


def evaluator() -> list[PanelRow]:
    """Build the panels of the evaluator."""
    followed = graph(
        "Predicted and evaluated",
        "Documents that the consumer has predicted, and documents that the last evaluated"
        " checkpoint had predicted. The evaluator keeps up if its line follows in steps.",
        query(f"sum(newsreel_documents_total{CONSUMER})", "predicted"),
        query(f"max(newsreel_heldout_checkpoint_documents{EVALUATOR})", "evaluated"),
        unit="short",
        min=0,
    )
    lateness = graph(
        "Behind the newest checkpoint",
        "Time between the newest checkpoint and the last evaluated one.",
        query(
            f"clamp_min(max(newsreel_checkpoint_timestamp_seconds{CONSUMER}) - max("
            f"newsreel_heldout_checkpoint_timestamp_seconds{EVALUATOR} > 0), 0)",
            "behind",
        ),
        unit="s",
        min=0,
        noValue="not evaluated",
    )
    duration = graph(
        "Time of an evaluation",
        "Duration over five minutes. The first evaluation computes the frozen layers for each"
        " held-out document; later ones use a cache.",
        *spread("newsreel_heldout_seconds", EVALUATOR),
        custom=LOGARITHMIC,
        unit="s",
        noValue="not evaluated",
    )
    outcomes = graph(
        "Evaluations in five minutes",
        "Checkpoints that were evaluated, and evaluations that failed and are retried.",
        query(in_five_minutes("newsreel_heldout_evaluations_total", EVALUATOR), "evaluated"),
        query(in_five_minutes("newsreel_heldout_failures_total", EVALUATOR), "failed"),
        unit="short",
        min=0,
        noValue="not evaluated",
    )
    documents = number(
        "Held out",
        "Labelled documents that are held out and never learned. With more documents, held-out"
        " accuracy varies less by chance.",
        query(f"max(newsreel_heldout_documents{EVALUATOR})", "documents"),
        unit="short",
        noValue="not evaluated",
    )
    return [(8, [(6, followed), (5, lateness), (5, duration), (5, outcomes), (3, documents)])]


def versions() -> list[PanelRow]:
    """Build the tables of versions."""
    consumer = facts(
        "Consumer",
        "Versions of the programs that learn.",
        f"newsreel_build_info{CONSUMER}",
        ["instance", "version", "learner", "model", "torch", "transformers"],
    )
    evaluator = facts(
        "Evaluator",
        "Versions of the evaluator.",
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
