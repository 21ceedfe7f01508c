"""Learn the whole corpus over Kafka, in chronological order and shuffled, and compare accuracy."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import structlog
from matplotlib import pyplot as plt

from benchmarks import corpus, results
from benchmarks.quality.cell import CURVE_DIGITS
from benchmarks.quality.plot import COLOURS
from benchmarks.results import Cell, ResultsFile
from benchmarks.throughput import processes, streaming
from consumer.evaluation.evaluator import WINDOW

mpl.use("agg")

ORDERS = ("chronological", "shuffled")

FIGURES = ("documents", "labels", "prequential_accuracy", "dead_letters")
"""Fields of the consumer's summary that a cell keeps."""

log = structlog.get_logger()


def run(folder: Path, seed: int, newsgroups_path: Path | None, dates: Path | None) -> None:
    """Replay the corpus in both orders; write ``replay.json`` and ``replay.svg``.

    Parameters
    ----------
    dates
        Dates of the documents, as for ``--dates`` of the producer; None for the order of the
        numbers that document ids end with.

    Raises
    ------
    ProgramError
        A document was not learned.
    """
    results.create_folder(folder)
    copy = corpus.load(newsgroups_path)
    count = sum(bool(document.text.strip()) for document in (*copy.train, *copy.test))
    options: list[object] = ["--split", "all", "--seed", seed]
    options += [] if newsgroups_path is None else ["--corpus", newsgroups_path]
    dating: list[object] = [] if dates is None else ["--dates", dates]
    file = ResultsFile(folder / "replay.json", "order")
    for order in ORDERS:
        figures = _replay(order, count, options + (dating if order == "chronological" else []))
        conditions = {"dates": dates is not None, **results.conditions(copy, seed)}
        file.put({"order": order, **conditions, **figures})
    draw(file.read(), folder / "replay.svg")


def _replay(order: str, count: int, options: Sequence[object]) -> dict[str, Any]:
    """Publish the corpus in an order and learn it; return the figures of a cell."""
    with processes.broker() as (broker, folder):
        topic = processes.new_topic(broker)
        scenario = ("--topic", topic, "--scenario", order)
        processes.run("producer", *scenario, *options, connection=broker)
        streaming.consume(broker, folder, topic, order, count)
        summary = json.loads((folder / f"{order}.json").read_text())
    figures = {name: summary[name] for name in FIGURES}
    log.info("replayed", order=order, **figures)
    curve = [(documents, round(window, CURVE_DIGITS)) for documents, _, window in summary["curve"]]
    return {**figures, "curve": curve}


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Draw accuracy over the stream, a line for each order."""
    mpl.rcParams["svg.hashsalt"] = "replay"  # equal cells give equal files
    figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
    for cell, colour in zip(cells, COLOURS, strict=False):
        documents, window = zip(*cell["curve"], strict=True)
        title = f"{cell['order']}: {cell['prequential_accuracy']:.1%} in all"
        axes.plot(documents, window, color=colour, lw=1.5, label=title)
    axes.set(ylim=(0, 1), ylabel=f"accuracy, last {WINDOW:,}", xlabel="documents of the stream")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
