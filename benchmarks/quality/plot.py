"""Cells as a plot of accuracy over the stream."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.quality.rows import NAMES, title
from benchmarks.quality.streams import STREAMS
from benchmarks.results import Cell
from consumer.evaluation.evaluator import WINDOW

mpl.use("agg")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which colour-blind people can tell apart."""

STYLES = ("-", "--", ":")


def draw(cells: Sequence[Cell], column: str, path: Path) -> None:
    """Draw a line for each row that learns, and mark where the offline ones end.

    Parameters
    ----------
    cells
        Of one column, best first.
    """
    mpl.rcParams["svg.hashsalt"] = column  # the same cells make the same file
    figure, axes = plt.subplots(figsize=(11, 5), layout="constrained")
    for cell in cells:
        name = cell["row"]
        # By its place among all rows, so that a row looks the same in every plot.
        place = NAMES.index(name) if name in NAMES else len(NAMES)
        colour = COLOURS[place % len(COLOURS)]
        style = STYLES[place // len(COLOURS) % len(STYLES)]
        if curve := cell.get("curve"):
            documents, accuracy = zip(*curve, strict=True)
            axes.plot(documents, accuracy, style, color=colour, lw=2, label=title(name))
        else:
            axes.axhline(
                cell["heldout_accuracy"],
                color=colour,
                ls="-.",
                lw=1,
                label=f"{title(name)}, held-out",
            )
    axes.set(
        xlabel="documents of the stream",
        ylabel=f"accuracy over the last {WINDOW:,}",
        ylim=(0, 1),
        title=f"20 Newsgroups, {STREAMS[column].title}",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
