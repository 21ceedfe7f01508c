"""The operator's board: rate, lag, time, and use of the machine."""

from boards import board
from boards.board import PanelRow
from boards.headline import alerts, behind
from boards.panels import (
    GREEN,
    LOGARITHMIC,
    RED,
    SHARE,
    STACKED,
    Json,
    graph,
    number,
    query,
    spread,
    steps,
)
from boards.promql import ALL, CONSUMER, PRODUCER, per_second, quantile
from boards.upkeep import checkpoints, evaluator, faults, serving, versions


def _pace() -> list[PanelRow]:
    learners = number(
        "Learning",
        "Consumers that learn. There is one; others stand by.",
        query(f"sum(newsreel_active{CONSUMER})", "learning"),
        unit="short",
        **steps(RED, (1, GREEN), (2, RED)),
    )
    oldest = number(
        "Oldest waiting",
        "Age of the last document that was read, while others wait behind it. When an old topic is"
        " read from its beginning, a high value is normal.",
        query(f"max(newsreel_consumer_lag_seconds{CONSUMER})", "oldest"),
        unit="s",
        min=0,
    )
    age = number(
        "Last checkpoint",
        "Time since the last commit. Nothing is saved while no documents arrive.",
        query(f"time() - (max(newsreel_checkpoint_timestamp_seconds{CONSUMER}) > 0)", "age"),
        unit="s",
        min=0,
        noValue="none yet",
    )
    speed = graph(
        "Documents per second",
        "Documents predicted, with or without labels, and documents that the producer publishes."
        " The consumer keeps up where its line meets the producer's.",
        query(per_second("newsreel_documents_total"), "predicted"),
        query(per_second("newsreel_producer_documents_total", PRODUCER), "published"),
        query(per_second("newsreel_producer_labels_total", PRODUCER), "labels published later"),
        unit="suffix:/s",
        min=0,
    )
    lag = graph(
        "Waiting documents",
        "Documents that wait in the topic, by partition. The number grows while documents arrive"
        " faster than they are learned; nothing is lost.",
        query(
            f"max by (partition) (newsreel_consumer_lag_documents{CONSUMER})",
            "partition {{partition}}",
        ),
        custom=STACKED,
        unit="short",
        decimals=0,
        min=0,
    )
    return [
        (4, [(5, behind()), (5, oldest), (5, age), (5, learners), (4, alerts())]),
        (9, [(12, speed), (12, lag)]),
    ]


def _time() -> list[PanelRow]:
    latency = graph(
        "From record to prediction",
        "Time from a record's timestamp, as its producer stamped it, to its prediction; median and"
        " 99th percentile over five minutes. It includes the time that the document waited in the"
        " topic.",
        *spread("newsreel_prediction_latency_seconds"),
        custom=LOGARITHMIC,
        unit="s",
    )
    spent = graph(
        "Where the time goes",
        "Share of each second spent in a stage of the loop. A large share of fetch means that the"
        " consumer waits for documents; almost none means that it is at its limit and the lag"
        " grows. Of a checkpoint, only the copy of the state stops the loop.",
        query(per_second("newsreel_stage_seconds_sum", CONSUMER, "stage"), "{{stage}}"),
        custom=STACKED,
        **SHARE,
    )
    learned = graph(
        "Learned per second",
        "New documents, and older ones from the replay buffer, which prevent forgetting.",
        query(per_second("newsreel_learned_documents_total"), "new"),
        query(per_second("newsreel_replayed_documents_total"), "replayed"),
        custom=STACKED,
        unit="suffix:/s",
        min=0,
    )
    median, tail = (
        graph(
            f"Stage time, {name}",
            f"{name.capitalize()} of the time a stage takes in one step, over five minutes.",
            query(quantile(share, "newsreel_stage_seconds", CONSUMER, "stage"), "{{stage}}"),
            custom=LOGARITHMIC,
            unit="s",
        )
        for name, share in (("median", 0.5), ("99th percentile", 0.99))
    )
    steps_taken = graph(
        "Learning steps per second",
        "Learning steps. Each learns one micro-batch and its replayed documents.",
        query(per_second("newsreel_learning_steps_total"), "steps"),
        unit="suffix:/s",
        min=0,
    )
    return [
        (8, [(8, latency), (8, spent), (8, learned)]),
        (8, [(8, median), (8, tail), (8, steps_taken)]),
    ]


def _machine() -> list[PanelRow]:
    cores = graph(
        "Processor",
        "Cores that each process keeps busy.",
        query(f"rate(process_cpu_seconds_total{ALL}[$__rate_interval])", "{{instance}}"),
        unit="short",
        min=0,
    )
    memory = graph(
        "Memory",
        "Memory that each process holds. The consumer's levels off when its replay buffer is full.",
        query(f"process_resident_memory_bytes{ALL}", "{{instance}}"),
        unit="bytes",
        min=0,
    )
    roles = graph(
        "Learning or standing by",
        "1: the consumer learns. 0: it stands by, and takes over when the other one ends.",
        query(f"newsreel_active{CONSUMER}", "{{instance}}"),
        custom={"lineInterpolation": "stepAfter"},
        min=0,
        max=1,
        decimals=0,
    )
    return [(8, [(8, cores), (8, memory), (8, roles)])]


def build() -> Json:
    """Build the board."""
    return board.build(
        "operations",
        "newsreel: Operations",
        "Whether the consumer keeps up, where its time goes, use of the machine, and faults.",
        [
            ("Pace", _pace()),
            ("Time", _time()),
            ("Checkpoints", checkpoints()),
            ("Faults", faults()),
            ("Machine", _machine()),
            ("Serving", serving()),
            ("Evaluator", evaluator()),
            ("Versions", versions()),
        ],
    )
