"""Plot a scenario: the mix of labels, the changes, and the accuracy of each row."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from benchmarks.quality.plot import COLOURS
from benchmarks.results import Cell
from benchmarks.scenarios.columns import BenchmarkScenario
from benchmarks.scenarios.measure import WINDOW
from benchmarks.scenarios.rows import ROWS
from consumer.drift.adaptation import ERROR

mpl.use("agg")

BINS = 60


def draw(scenario: BenchmarkScenario, cells: Sequence[Cell], path: Path) -> None:
    """Draw the mix of labels above the accuracy of each row measured on the scenario.

    Grey lines are changes, dotted lines are drifts that newsreel detected in its errors.
    """
    mpl.rcParams["svg.hashsalt"] = scenario.name  # equal cells give equal files
    measured = [cell for cell in cells if cell["column"] == scenario.name]
    figure, (mix, accuracy) = plt.subplots(
        2, 1, figsize=(9, 5), sharex=True, layout="constrained", height_ratios=(2, 3)
    )
    _draw_mix(mix, scenario)
    for cell in measured:
        colour = COLOURS[list(ROWS).index(cell["row"])]
        documents, shares = zip(*cell["curve"], strict=True)
        title = ROWS[cell["row"]].title.replace("**", "")
        accuracy.plot(documents, shares, color=colour, lw=1.5, label=title)
        if cell["row"] == "newsreel":
            for drift in cell["drifts"]:
                if drift["detector"] == ERROR and not drift["forgotten"]:
                    accuracy.axvline(drift["documents"], color=colour, ls=":", lw=1.5)
    for moment in scenario.moments:
        accuracy.axvline(moment, color="grey", lw=0.8)
    accuracy.set(ylim=(0, 1), ylabel=f"accuracy, last {WINDOW}", xlabel="documents of the stream")
    accuracy.grid(alpha=0.3)
    if measured:
        accuracy.legend(loc="lower right", fontsize="small", frameon=False)
    figure.suptitle(f"--scenario {scenario.text}", family="monospace", fontsize="medium")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _draw_mix(axes: Any, scenario: BenchmarkScenario) -> None:
    """Draw a row for each label, darker where the label is more frequent."""
    stream = scenario.documents
    labels = sorted({document.label or "" for document in stream})
    edges = np.linspace(0, len(stream), BINS + 1).astype(int)
    counts = np.zeros((len(labels), BINS))
    for column, (start, end) in enumerate(pairwise(edges)):
        for document in stream[start:end]:
            counts[labels.index(document.label or ""), column] += 1
    shares = counts / np.maximum(counts.sum(0), 1)
    axes.imshow(
        shares**0.5,
        aspect="auto",
        cmap="Blues",
        extent=(0, len(stream), len(labels), 0),
        interpolation="nearest",
        vmin=0,
    )
    axes.set(yticks=np.arange(len(labels)) + 0.5, yticklabels=labels)
    axes.tick_params(axis="y", labelsize=4, length=0)
    for moment in scenario.moments:
        axes.axvline(moment, color="grey", lw=0.8)
