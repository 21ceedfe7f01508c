"""How good the predictions are, by all measures, of the blend and of its experts."""

from boards.board import Row
from boards.panels import GOOD_SHARE, SHARE, STACKED, graph, matrix, query, table
from boards.promql import CONSUMER, EVALUATOR, RECENT


def experts() -> list[Row]:
    """Set the parts of a blend beside each other."""
    accuracy = graph(
        "Accuracy of each expert",
        "Each part of the blend by itself, over the last 1000 documents, and the blend. If the"
        " transformer (latent) adds nothing, the blend is no better than the best of the others.",
        query(f"max by (expert) (newsreel_expert_accuracy{CONSUMER})", "{{expert}}"),
        query(f"max(newsreel_prequential_accuracy{RECENT})", "blend"),
        noValue="a single learner",
        **SHARE,
    )
    shares = graph(
        "Share of each expert",
        "How much each part weighs in the blend, learned from how well it has predicted.",
        query(f"max by (expert) (newsreel_expert_share{CONSUMER})", "{{expert}}"),
        custom=STACKED,
        noValue="a single learner",
        **SHARE,
    )
    measures = {
        heading: f"max by (expert) (newsreel_expert_{name}{CONSUMER})"
        for heading, name in (
            ("accuracy", "accuracy"),
            ("macro-F1", "macro_f1"),
            ("kappa", "kappa"),
            ("log-loss", "log_loss"),
            ("calibration error", "calibration_error"),
        )
    }
    compared = table(
        "Experts, measure by measure",
        "Of each part by itself over the last 1000 documents. Log-loss in nats; calibration error"
        " is by how much its confidence misses its accuracy.",
        "expert",
        measures,
        decimals=3,
    )
    by_label = matrix(
        "Who knows which label",
        "Recall of each label by each part of the blend itself, over the last 1000 documents.",
        f"max by (expert, label) (newsreel_expert_recall{CONSUMER})",
        "label",
        "expert",
        **GOOD_SHARE,
    )
    return [(8, [(12, accuracy), (12, shares)]), (9, [(12, compared), (12, by_label)])]


def measures() -> list[Row]:
    """Show measures beside accuracy, and what learning does to the weights."""
    balance = graph(
        "Macro-F1 and kappa",
        "Macro-F1 counts every label alike, however rare; Cohen's kappa takes off what guessing"
        " would get. Well below the accuracy, they say that frequent labels hide rare ones.",
        query(f"max(newsreel_prequential_macro_f1{RECENT})", "macro-F1"),
        query(f"max(newsreel_prequential_kappa{RECENT})", "kappa"),
        query(f"max(newsreel_heldout_macro_f1{EVALUATOR})", "macro-F1, held-out"),
        query(f"max(newsreel_heldout_kappa{EVALUATOR})", "kappa, held-out"),
        decimals=2,
        max=1,
    )
    loss = graph(
        "Log-loss",
        "Cross-entropy in nats: of predictions over the last 1000 documents, of those on held-out"
        " documents, and of the last learning step, some of whose documents are replayed. A wide"
        " gap means that the model remembers better than it understands what comes.",
        query(f"max(newsreel_prequential_log_loss{RECENT})", "of predictions"),
        query(f"max(newsreel_heldout_log_loss{EVALUATOR})", "held-out"),
        query(f"max(newsreel_loss{CONSUMER})", "of the last learning step"),
        unit="suffix:nats",
        min=0,
    )
    calibration = graph(
        "Calibration error",
        "By how much confidence misses accuracy, mean over ten bins. At .05, a prediction with"
        " probability .9 is right about 85 or 95 times in 100.",
        query(f"max(newsreel_prequential_calibration_error{RECENT})", "last 1000"),
        query(f"max(newsreel_heldout_calibration_error{EVALUATOR})", "held-out"),
        unit="percentunit",
        min=0,
    )
    gap = graph(
        "Prequential minus held-out accuracy",
        "Over the last 1000 documents at the examined checkpoint. The stream's documents resemble"
        " their neighbours in time, so some is usual; if it grows, the model fits the present and"
        " loses the rest.",
        query(f"max(newsreel_heldout_gap{EVALUATOR})", "gap"),
        unit="percentunit",
        noValue="not examined",
    )
    gradients = graph(
        "Gradient norm",
        "Of the last learning step, before it is clipped. Peaks are documents that surprise; a"
        " steady rise is a learning rate that is too high.",
        query(f"max by (expert) (newsreel_gradient_norm{CONSUMER})", "{{expert}}"),
        min=0,
    )
    rates = graph(
        "Learning rate",
        "Of the last learning step, for the transformer's layers (body) and the output (head).",
        query(
            f"max by (expert, part) (newsreel_learning_rate{CONSUMER})",
            "{{expert}}, {{part}}",
        ),
        unit="sci",
        min=0,
    )
    return [
        (8, [(8, balance), (8, loss), (8, calibration)]),
        (8, [(8, gap), (8, gradients), (8, rates)]),
    ]
