"""Plot accuracy over the stream, a line for each row."""

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
"""Colours of Okabe and Ito, which colour-blind people can tell apart."""

STYLES = ("-", "--", ":")


def draw(cells: Sequence[Cell], column: str, path: Path) -> None:
    """Draw a curve for each online row, and a horizontal line for each offline row.

    Parameters
    ----------
    cells
        Cells of one column, best first.
    """
    mpl.rcParams["svg.hashsalt"] = column  # equal cells give equal files
    figure, axes = plt.subplots(figsize=(11, 5), layout="constrained")
    for cell in cells:
        name = cell["row"]
        # The index among all rows gives a row the same colour and style in every plot.
        index = NAMES.index(name) if name in NAMES else len(NAMES)
        colour = COLOURS[index % len(COLOURS)]
        style = STYLES[index // len(COLOURS) % len(STYLES)]
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
