"""The home board: how well the model predicts, on what it errs, and what it forgets."""

from boards import board
from boards.board import Row
from boards.headline import alerts, behind
from boards.measures import experts, measures
from boards.panels import (
    FORGETTING,
    GOOD_SHARE,
    SHARE,
    Json,
    bars,
    graph,
    heat_map,
    latest,
    number,
    query,
)
from boards.promql import CONSUMER, EVALUATOR, RECENT


def _headline() -> list[Row]:
    accuracy = number(
        "Accuracy",
        "Share of the last 1000 documents whose label was predicted right before they were"
        " learned.",
        query(f"max(newsreel_prequential_accuracy{RECENT})", "last 1000"),
        **GOOD_SHARE,
    )
    held_out = number(
        "Held-out accuracy",
        "Share of documents that are never learned whose label the newest examined checkpoint"
        " predicts right.",
        query(f"max(newsreel_heldout_accuracy{EVALUATOR})", "held-out"),
        noValue="not examined",
        **GOOD_SHARE,
    )
    forgetting = number(
        "Forgetting",
        "Best recall of a label so far minus that of now, on held-out documents, mean over the"
        " labels.",
        query(f"max(newsreel_forgetting_mean{EVALUATOR})", "forgetting"),
        noValue="not examined",
        **FORGETTING,
    )
    over_time = graph(
        "Accuracy and forgetting",
        "Prequential: share predicted right before they were learned, of the last 1000 documents,"
        " of all with older ones fading (half is gone after 346), and of the whole stream. A fall"
        " of the first two while the third holds means that the stream has changed. Held-out: of"
        " documents that are never learned; together with forgetting it tells what a change of the"
        " stream cost.",
        query(f"max(newsreel_prequential_accuracy{RECENT})", "last 1000"),
        query('max(newsreel_prequential_accuracy{job="$consumer", window="fading"})', "fading"),
        query('max(newsreel_prequential_accuracy{job="$consumer", window="whole"})', "whole"),
        query(f"max(newsreel_heldout_accuracy{EVALUATOR})", "held-out"),
        query(f"max(newsreel_forgetting_mean{EVALUATOR})", "forgetting"),
        **SHARE,
    )
    worst = bars(
        "Worst labels",
        "Recall of the ten labels that are predicted right least often, among the last 1000"
        " documents. A label is at the bottom while it is new, or when it is forgotten.",
        latest(
            f"sort(bottomk(10, max by (label) (newsreel_prequential_recall{CONSUMER})))",
            "{{label}}",
        ),
        **GOOD_SHARE,
    )
    return [
        (4, [(5, accuracy), (5, held_out), (5, forgetting), (5, behind()), (4, alerts())]),
        (11, [(16, over_time), (8, worst)]),
    ]


def _labels() -> list[Row]:
    recall = heat_map(
        "Recall by label",
        "Share of each label's documents among the last 1000 that were predicted right, over time."
        " A row that turns from green to red is a label that is being forgotten, or whose documents"
        " have changed.",
        query(f"max by (label) (newsreel_prequential_recall{CONSUMER})", "{{label}}"),
        **GOOD_SHARE,
    )
    confused = bars(
        "Confused",
        "Documents of a label that were taken for another, among the last 1000: the most frequent"
        " pairs.",
        latest(
            "sort_desc(topk(12, max by (label, predicted)"
            f" (newsreel_prequential_confused{CONSUMER})))",
            "{{label}} as {{predicted}}",
        ),
        unit="short",
        min=0,
        noValue="none",
    )
    forgotten = bars(
        "Forgotten most",
        "Best recall of a label so far minus that of now, on held-out documents: the ten labels"
        " that lost most.",
        latest(
            f"sort_desc(topk(10, max by (label) (newsreel_forgetting{EVALUATOR})))", "{{label}}"
        ),
        noValue="not examined",
        **FORGETTING,
    )
    held_out = heat_map(
        "Held-out recall by label",
        "Share of each label's held-out documents that the examined checkpoint predicts right,"
        " over time.",
        query(f"max by (label) (newsreel_heldout_recall{EVALUATOR})", "{{label}}"),
        noValue="not examined",
        **GOOD_SHARE,
    )
    return [
        (13, [(16, recall), (8, confused)]),
        (13, [(16, held_out), (8, forgotten)]),
    ]


def build() -> Json:
    """Build the board."""
    return board.build(
        "learning",
        "newsreel: Learning",
        "How accurate the model is, on what it errs, what it forgets, and whether it keeps up.",
        [
            ("How well", _headline()),
            ("Labels", _labels()),
            ("Experts of the blend", experts()),
            ("Measures", measures()),
        ],
    )
