"""Accuracy against the rate of arrival, and what a load of some minutes does, as pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.quality.plot import COLOURS

mpl.use("agg")

STYLES = ("-", "--", "-", "--", ":")

SHADE = "#eeeeee"


def draw_rates(found: Mapping[str, Any], path: Path) -> None:
    """Draw accuracy at arrival, and the share that was learned in time, of each row."""
    mpl.rcParams["svg.hashsalt"] = "rates"  # the same figures make the same file
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharex=True)
    for number, row in enumerate(found["rows"].values()):
        rates = [point["rate"] for point in row["points"]]
        for one, name in zip(axes, ("at_arrival", "learned"), strict=True):
            shares = [point[name] for point in row["points"]]
            one.plot(
                *(rates, shares, STYLES[number]),
                color=COLOURS[number],
                marker="o",
                ms=3,
                label=row["title"],
            )
    titles = ("accuracy, predicted as they arrive", "share learned in time")
    for one, title in zip(axes, titles, strict=True):
        one.axvline(found["capacity"], color="grey", lw=0.8)
        one.set(xscale="log", ylim=(0, 1.02), title=title, xlabel="documents arriving in a second")
        one.grid(alpha=0.3)
    axes[0].legend(loc="lower left", fontsize="small", frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw_overload(found: Mapping[str, Any], path: Path) -> None:
    """Draw what waits, how long, memory, and accuracy over time; grey is the time of the load."""
    mpl.rcParams["svg.hashsalt"] = "overload"
    figure, axes = plt.subplots(3, 1, figsize=(9, 6), layout="constrained", sharex=True)
    minutes = [sample["seconds"] / 60 for sample in found["samples"]]
    shown = {
        "waiting": "documents waiting",
        "memory_mb": "memory, MB",
        "accuracy": "accuracy, last 1,000",
    }
    for one, (name, title) in zip(axes, shown.items(), strict=True):
        one.axvspan(0, found["seconds"] / 60, color=SHADE)
        one.plot(minutes, [sample[name] for sample in found["samples"]], color=COLOURS[0])
        one.set(ylim=(0, None), title=title)
        one.grid(alpha=0.3)
    axes[-1].set(xlabel="minutes", ylim=(0, 1))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
