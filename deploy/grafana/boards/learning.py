"""The home board: how well the model predicts, its errors, and what it forgets."""

from boards import board
from boards.board import PanelRow
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


def _headline() -> list[PanelRow]:
    accuracy = number(
        "Accuracy",
        "Share of the last 1000 documents whose label was predicted right before they were"
        " learned.",
        query(f"max(newsreel_prequential_accuracy{RECENT})", "last 1000"),
        **GOOD_SHARE,
    )
    held_out = number(
        "Held-out accuracy",
        "Share of the held-out documents whose label the last evaluated checkpoint predicts right.",
        query(f"max(newsreel_heldout_accuracy{EVALUATOR})", "held-out"),
        noValue="not evaluated",
        **GOOD_SHARE,
    )
    forgetting = number(
        "Forgetting",
        "Best recall of a label so far minus its present recall, on held-out documents, mean over"
        " the labels.",
        query(f"max(newsreel_forgetting_mean{EVALUATOR})", "forgetting"),
        noValue="not evaluated",
        **FORGETTING,
    )
    over_time = graph(
        "Accuracy and forgetting",
        "Prequential accuracy: share of documents predicted right before they were learned, over"
        " the last 1000 documents, with exponential fading (half-life 346 documents), and over the"
        " whole stream. If the first two fall while the third holds, the stream has changed."
        " Held-out accuracy is of documents that are never learned; together with forgetting, it"
        " shows the cost of a change.",
        query(f"max(newsreel_prequential_accuracy{RECENT})", "last 1000"),
        query('max(newsreel_prequential_accuracy{job="$consumer", window="fading"})', "fading"),
        query('max(newsreel_prequential_accuracy{job="$consumer", window="whole"})', "whole"),
        query(f"max(newsreel_heldout_accuracy{EVALUATOR})", "held-out"),
        query(f"max(newsreel_forgetting_mean{EVALUATOR})", "forgetting"),
        **SHARE,
    )
    worst = bars(
        "Worst labels",
        "The ten labels with the lowest recall over the last 1000 documents. A label is at the"
        " bottom while it is new, or when it is forgotten.",
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


def _labels() -> list[PanelRow]:
    recall = heat_map(
        "Recall by label",
        "Share of each label's documents among the last 1000 that were predicted right, over time."
        " If a row turns from green to red, the label is being forgotten, or its documents have"
        " changed.",
        query(f"max by (label) (newsreel_prequential_recall{CONSUMER})", "{{label}}"),
        **GOOD_SHARE,
    )
    confused = bars(
        "Confused",
        "Documents whose label was predicted as another label, among the last 1000: the most"
        " frequent pairs.",
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
        "Best recall of a label so far minus its present recall, on held-out documents: the ten"
        " labels that lost most.",
        latest(
            f"sort_desc(topk(10, max by (label) (newsreel_forgetting{EVALUATOR})))", "{{label}}"
        ),
        noValue="not evaluated",
        **FORGETTING,
    )
    held_out = heat_map(
        "Held-out recall by label",
        "Share of each label's held-out documents that the last evaluated checkpoint predicts"
        " right, over time.",
        query(f"max by (label) (newsreel_heldout_recall{EVALUATOR})", "{{label}}"),
        noValue="not evaluated",
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
        "Accuracy of the model, its errors, what it forgets, and whether it keeps up.",
        [
            ("Quality", _headline()),
            ("Labels", _labels()),
            ("Experts of the blend", experts()),
            ("Measures", measures()),
        ],
    )
