"""The whole corpus over Kafka, in order of time and shuffled: how accurate the consumer is."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import structlog
from matplotlib import pyplot as plt

from benchmarks import corpus, results
from benchmarks.quality.plot import COLOURS
from benchmarks.throughput import processes, streaming
from consumer.evaluation.evaluator import WINDOW

mpl.use("agg")

ORDERS = ("chronological", "shuffled")

KEPT = ("documents", "labels", "prequential_accuracy", "dead_letters", "curve")

log = structlog.get_logger()


def run(folder: Path, seed: int, newsgroups_path: Path | None, dates: Path | None) -> None:
    """Replay it in both orders; writes ``replay.json`` and ``replay.svg``.

    Parameters
    ----------
    dates
        When documents were written, as ``--dates`` of the producer takes it; if not given, they
        are in order of their numbers.

    Raises
    ------
    ProgramError
        Not every document was learned.
    """
    results.prepare(folder)
    copy = corpus.load(newsgroups_path)
    count = sum(bool(document.text.strip()) for document in (*copy.train, *copy.test))
    options: list[object] = ["--split", "all", "--seed", seed]
    options += [] if newsgroups_path is None else ["--corpus", newsgroups_path]
    of_time: list[object] = [] if dates is None else ["--dates", dates]
    orders = {
        name: _replay(name, count, options + (of_time if name == "chronological" else []))
        for name in ORDERS
    }
    found = {"dates": dates is not None, "orders": orders}
    results.write(folder / "replay.json", results.about(copy, seed) | found)
    draw(orders, folder / "replay.svg")


def _replay(order: str, count: int, options: Sequence[object]) -> dict[str, Any]:
    with processes.broker() as (broker, folder):
        topic = processes.new_topic(broker)
        scenario = ("--topic", topic, "--scenario", order)
        processes.run("producer", *scenario, *options, connection=broker)
        streaming.learned(broker, folder, topic, order, count)
        told = json.loads((folder / f"{order}.json").read_text())
    found = {name: told[name] for name in KEPT}
    log.info("replayed", order=order, **{n: v for n, v in found.items() if n != "curve"})
    return found


def draw(orders: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw accuracy over the stream, a line for each order."""
    mpl.rcParams["svg.hashsalt"] = "replay"  # the same figures make the same file
    figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
    for (name, found), colour in zip(orders.items(), COLOURS, strict=False):
        documents, _, window = zip(*found["curve"], strict=True)
        title = f"{name}: {found['prequential_accuracy']:.1%} in all"
        axes.plot(documents, window, color=colour, lw=1.5, label=title)
    axes.set(ylim=(0, 1), ylabel=f"accuracy, last {WINDOW:,}", xlabel="documents of the stream")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
