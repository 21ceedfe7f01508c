"""Measure rates of arrival, overload, or both, and report all results."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from benchmarks import corpus, results
from benchmarks.arrivals import overload, plot, rates
from benchmarks.arrivals import report as tables
from benchmarks.quality import report, streams
from benchmarks.results import Cell, ResultsFile

log = structlog.get_logger()

PARTS: Mapping[str, tuple[Callable[[Cell], str], Callable[[Cell, Path], None]]] = {
    "rates": (tables.rates, plot.draw_rates),
    "overload": (tables.overload, plot.draw_overload),
}
"""Functions that write the tables and draw the picture of each part."""


def run(
    names: Sequence[str],
    folder: Path,
    *,
    seed: int,
    documents: int | None,
    heldout: int,
    times: float,
    seconds: float,
    newsgroups_path: Path | None,
) -> None:
    """Measure parts; write ``arrivals.json``, and ``report.md`` and pictures of all its parts."""
    results.create_folder(folder)
    file = ResultsFile(folder / "arrivals.json", "part")
    copy = corpus.load(newsgroups_path)
    train, test = streams.make(copy, streams.STREAMS["raw"], seed, documents, heldout)
    for name in names:
        figures: dict[str, Any]
        if name == "rates":
            figures = rates.measure(train, test, seed)
        else:
            options = ["--seed", seed]
            options += [] if newsgroups_path is None else ["--corpus", newsgroups_path]
            figures = overload.measure(times, seconds, len(train), test, options)
        file.put({"part": name, **results.conditions(copy, seed), **figures})
    sections = ["# Arrivals\n"]
    cells = {cell["part"]: cell for cell in file.read()}
    for name, (table, draw) in PARTS.items():
        if name in cells:
            draw(cells[name], folder / f"{name}.svg")
            sections += [table(cells[name]), report.conditions([cells[name]])]
    (folder / "report.md").write_text("\n".join(sections))
    log.info("reported", table=str(folder / "report.md"))
