"""Measures the cells that are not there yet, and reports on all of them."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import structlog

from benchmarks import corpus, results
from benchmarks.scenarios import columns, measure, plot, report
from benchmarks.scenarios.rows import ROWS, sharing

SOME = 2000
"""Held-out documents to examine on in mid-stream."""

log = structlog.get_logger()


def run(
    names: Sequence[str],
    scenarios: Sequence[str],
    folder: Path,
    *,
    seed: int,
    documents: int | None,
    heldout: int | None,
    newsgroups_path: Path | None,
    again: bool,
) -> None:
    """Measure rows on scenarios; a cell that is there stays, so that one can stop and go on."""
    asked = {"seed": seed, "limits": {"documents": documents, "heldout": heldout}}
    results.prepare(folder)
    copy = corpus.load(newsgroups_path)
    train = [document for document in copy.train if document.text.strip()]
    questions = Random(seed).sample(copy.test, min(len(copy.test), heldout or len(copy.test)))
    share = sharing()
    for scenario in scenarios:
        made = columns.make(scenario, train, seed, documents)
        for name in names:
            file = results.path(folder, name, scenario)
            if not again and results.is_there(file, asked):
                log.info("cell is there", row=name, column=scenario)
                continue
            model = ROWS[name].build(seed, share)
            figures = measure.measure(model, made, questions[:SOME], questions)
            about = {
                "row": name,
                "column": scenario,
                **asked,
                **results.about(copy, seed),
                "settings": dict(model.describe()),
            }
            results.write(file, about | figures)
            told = ("prequential_accuracy", "heldout_accuracy", "forgetting", "delay", "recovery")
            log.info("measured", row=name, column=scenario, **{it: figures[it] for it in told})
        plot.draw(made, results.read(folder), folder / f"{scenario}.svg")
    (folder / "report.md").write_text(report.markdown(results.read(folder)))
    log.info("reported", table=str(folder / "report.md"))
