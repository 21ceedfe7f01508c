"""Plot accuracy against the rate of arrival, and lag, memory and accuracy under overload."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.quality.plot import COLOURS
from benchmarks.results import Cell

mpl.use("agg")

STYLES = ("-", "--", "-", "--", ":")

SHADE = "#eeeeee"


def draw_rates(cell: Cell, path: Path) -> None:
    """Draw the accuracy at arrival and the share learned in time, a line for each row."""
    mpl.rcParams["svg.hashsalt"] = "rates"  # equal cells give equal files
    figure, panels = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharex=True)
    for row, colour, style in zip(cell["rows"].values(), COLOURS, STYLES, strict=False):
        rates = [point["rate"] for point in row["points"]]
        for axes, field in zip(panels, ("at_arrival", "learned"), strict=True):
            shares = [point[field] for point in row["points"]]
            axes.plot(rates, shares, style, color=colour, marker="o", ms=3, label=row["title"])
    titles = ("accuracy, predicted as they arrive", "share learned in time")
    for axes, title in zip(panels, titles, strict=True):
        axes.axvline(cell["capacity"], color="grey", lw=0.8)
        axes.set(xscale="log", ylim=(0, 1.02), title=title, xlabel="documents arriving in a second")
        axes.grid(alpha=0.3)
    panels[0].legend(loc="lower left", fontsize="small", frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw_overload(cell: Cell, path: Path) -> None:
    """Draw waiting documents, memory and accuracy over time; the time of the load is grey."""
    mpl.rcParams["svg.hashsalt"] = "overload"
    figure, panels = plt.subplots(3, 1, figsize=(9, 6), layout="constrained", sharex=True)
    samples = cell["samples"]
    minutes = [seconds / 60 for seconds in samples["seconds"]]
    titles = {
        "waiting": "documents waiting",
        "memory_mb": "memory, MB",
        "accuracy": "accuracy, last 1,000",
    }
    for axes, (field, title) in zip(panels, titles.items(), strict=True):
        axes.axvspan(0, cell["seconds"] / 60, color=SHADE)
        axes.plot(minutes, samples[field], color=COLOURS[0])
        axes.set(ylim=(0, None), title=title)
        axes.grid(alpha=0.3)
    panels[-1].set(xlabel="minutes", ylim=(0, 1))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
