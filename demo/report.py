"""The report of a run: a table and a plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from rich.table import Table

mpl.use("agg")


def table(summary: Mapping[str, Any]) -> Table:
    """Return the results as a table for the terminal."""
    shown = Table(title="What it learned", show_header=False)
    rows = {
        "documents, each predicted, then learned": f"{summary['documents']:,}",
        "labels discovered": f"{summary['labels']}",
        "documents replayed from the buffer": f"{summary['replayed_documents']:,}",
        "dead letters": f"{summary['dead_letters']}",
        "prequential accuracy, whole stream": percent(summary["prequential_accuracy"]),
        "prequential accuracy, last 1,000": percent(summary["prequential_accuracy_last_1000"]),
        f"held-out accuracy, {summary['heldout_documents']:,} documents": percent(
            summary["heldout_accuracy"]
        ),
        **{
            f"by itself, last 1,000: {name}": f"{percent(accuracy)}"
            f" (share {percent(summary['experts_share'].get(name))})"
            for name, accuracy in summary["experts_accuracy_last_1000"].items()
        },
        "documents per second": f"{summary['documents_per_second'] or 0:.1f}",
        "peak memory of the consumer": f"{summary['peak_rss_mb']:,.0f} MB",
        "learner": f"{summary['learner']} on {summary['model']}",
    }
    for name, value in rows.items():
        shown.add_row(name, value)
    return shown


def plot(summary: Mapping[str, Any], path: Path) -> None:
    """Draw the accuracy over the documents of the stream.

    Parameters
    ----------
    summary
        The consumer's summary.
    path
        PNG file to write.
    """
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    documents = [point[0] for point in summary["curve"]]
    axes.plot(documents, [p[2] for p in summary["curve"]], label="prequential, last 1,000", lw=2)
    axes.plot(documents, [p[1] for p in summary["curve"]], label="prequential, whole stream")
    if summary["heldout_accuracy"] is not None:
        axes.plot(
            documents[-1:],
            [summary["heldout_accuracy"]],
            "o",
            label=f"held-out, {summary['heldout_documents']:,} documents",
        )
    axes.set(
        xlabel="documents of the stream",
        ylabel="accuracy",
        ylim=(0, 1),
        title=f"{summary['model']} learning {summary['labels']} labels from a stream",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def percent(share: float | None) -> str:
    """Return a share as a percentage, ``-`` if it is None."""
    return "-" if share is None else f"{share:.1%}"
