"""Measures what is asked for, and reports on all that is there."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from benchmarks import corpus, results
from benchmarks.arrivals import overload, plot, rates
from benchmarks.arrivals import report as tables
from benchmarks.quality import report, streams

log = structlog.get_logger()

PARTS: Mapping[str, tuple[Callable[[Any], str], Callable[[Any, Path], None]]] = {
    "rates": (tables.rates, plot.draw_rates),
    "overload": (tables.overload, plot.draw_overload),
}
"""How each is told and drawn."""


def run(
    names: list[str],
    folder: Path,
    *,
    seed: int,
    documents: int | None,
    heldout: int,
    times: float,
    seconds: float,
    newsgroups_path: Path | None,
) -> None:
    """Measure rates, overload, or both, and write ``report.md`` and pictures of what is there."""
    results.prepare(folder)
    copy = corpus.load(newsgroups_path)
    stream, questions = streams.make(copy, streams.STREAMS["raw"], seed, documents, heldout)
    for name in names:
        if name == "rates":
            found = rates.measure(stream, questions, seed)
        else:
            options = ["--seed", seed]
            options += [] if newsgroups_path is None else ["--corpus", newsgroups_path]
            found = overload.measure(times, seconds, len(stream), questions, options)
        results.write(folder / f"{name}.json", results.about(copy, seed) | found)
    parts = ["# Arrivals\n"]
    for name, (tell, draw) in PARTS.items():
        file = folder / f"{name}.json"
        if file.exists():
            found = json.loads(file.read_text())
            draw(found, folder / f"{name}.svg")
            parts += [tell(found), report.made([found])]
    (folder / "report.md").write_text("\n".join(parts))
    log.info("reported", table=str(folder / "report.md"))
