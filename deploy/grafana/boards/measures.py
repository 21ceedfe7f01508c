"""Measures of the predictions, of the blend and of its experts."""

from boards.board import PanelRow
from boards.panels import GOOD_SHARE, SHARE, STACKED, Json, graph, matrix, query, table
from boards.promql import CONSUMER, EVALUATOR, RECENT


def experts() -> list[PanelRow]:
    """Build the panels that compare the experts of a blend."""
    accuracy = graph(
        "Accuracy of each expert",
        "Accuracy of each expert alone and of the blend, over the last 1000 documents. If the"
        " transformer (latent) adds nothing, the blend is no better than the best other expert.",
        query(f"max by (expert) (newsreel_expert_accuracy{CONSUMER})", "{{expert}}"),
        query(f"max(newsreel_prequential_accuracy{RECENT})", "blend"),
        noValue="a single learner",
        **SHARE,
    )
    shares = graph(
        "Share of each expert",
        "Weight of each expert in the blend, learned from its predictions.",
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
        "Measures of each expert",
        "Each expert alone, over the last 1000 documents. Log-loss is in nats; calibration error"
        " is the difference between confidence and accuracy.",
        "expert",
        measures,
        decimals=3,
    )
    by_label = matrix(
        "Recall by expert and label",
        "Recall of each label by each expert alone, over the last 1000 documents.",
        f"max by (expert, label) (newsreel_expert_recall{CONSUMER})",
        "label",
        "expert",
        **GOOD_SHARE,
    )
    return [(8, [(12, accuracy), (12, shares)]), (9, [(12, compared), (12, by_label)])]


def measures() -> list[PanelRow]:
    """Build the panels of other measures, gradients and learning rates."""
    return [(8, _scores()), (8, _training())]


def _scores() -> list[tuple[int, Json]]:
    """Build the panels that score predictions: balance over labels, loss, calibration."""
    balance = graph(
        "Macro-F1 and kappa",
        "Macro-F1 weights every label equally, however rare; Cohen's kappa subtracts what guessing"
        " would achieve. Values well below the accuracy mean that frequent labels hide rare ones.",
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
        " gap means that the model fits old documents better than new ones.",
        query(f"max(newsreel_prequential_log_loss{RECENT})", "of predictions"),
        query(f"max(newsreel_heldout_log_loss{EVALUATOR})", "held-out"),
        query(f"max(newsreel_loss{CONSUMER})", "of the last learning step"),
        unit="suffix:nats",
        min=0,
    )
    calibration = graph(
        "Calibration error",
        "Difference between confidence and accuracy, mean over ten bins. At 0.05, a prediction with"
        " probability 0.9 is right about 85 or 95 times in 100.",
        query(f"max(newsreel_prequential_calibration_error{RECENT})", "last 1000"),
        query(f"max(newsreel_heldout_calibration_error{EVALUATOR})", "held-out"),
        unit="percentunit",
        min=0,
    )
    return [(8, balance), (8, loss), (8, calibration)]


def _training() -> list[tuple[int, Json]]:
    """Build the panels of overfitting, gradients and learning rates."""
    gap = graph(
        "Prequential minus held-out accuracy",
        "Over the last 1000 documents at the evaluated checkpoint. Documents resemble their"
        " neighbours in time, so a small gap is normal. If it grows, the model fits the present"
        " and forgets the rest.",
        query(f"max(newsreel_heldout_gap{EVALUATOR})", "gap"),
        unit="percentunit",
        noValue="not evaluated",
    )
    gradients = graph(
        "Gradient norm",
        "Norm of the last learning step's gradient before clipping. Peaks are surprising documents;"
        " a steady rise is a learning rate that is too high.",
        query(f"max by (expert) (newsreel_gradient_norm{CONSUMER})", "{{expert}}"),
        min=0,
    )
    rates = graph(
        "Learning rate",
        "Learning rates of the last step: the transformer's layers (body) and the output (head).",
        query(
            f"max by (expert, part) (newsreel_learning_rate{CONSUMER})",
            "{{expert}}, {{part}}",
        ),
        unit="sci",
        min=0,
    )
    return [(8, gap), (8, gradients), (8, rates)]
