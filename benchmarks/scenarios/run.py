"""Measure the cells of scenarios that are missing, and report all of them."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import structlog

from benchmarks import corpus, newsreel, results
from benchmarks.results import ResultsFile
from benchmarks.scenarios import columns, measure, plot, report
from benchmarks.scenarios.rows import ROWS

MIDSTREAM_HELDOUT = 2000
"""Held-out documents of an evaluation before the end of the stream."""

LOGGED = ("prequential_accuracy", "heldout_accuracy", "forgetting", "delay", "recovery")
"""Figures of a cell that the log shows."""

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
    """Measure rows on scenarios; cells measured before are kept unless ``again``."""
    limits = {"documents": documents, "heldout": heldout}
    results.create_folder(folder)
    file = ResultsFile(folder / "scenarios.json", "row", "column")
    copy = corpus.load(newsgroups_path)
    train = [document for document in copy.train if document.text.strip()]
    test = Random(seed).sample(copy.test, min(len(copy.test), heldout or len(copy.test)))
    wrap = newsreel.shared_extractor()
    for column in scenarios:
        scenario = columns.make(column, train, seed, documents)
        for name in names:
            wanted = {"row": name, "column": column, "seed": seed, "limits": limits}
            if not again and file.holds(wanted):
                log.info("cell is measured already", row=name, column=column)
                continue
            model = ROWS[name].build(seed, wrap)
            figures = measure.measure(model, scenario, test[:MIDSTREAM_HELDOUT], test)
            settings = dict(model.describe())
            file.put({**wanted, **results.conditions(copy, seed), "settings": settings, **figures})
            log.info(
                "measured", row=name, column=column, **{field: figures[field] for field in LOGGED}
            )
        plot.draw(scenario, file.read(), folder / f"{column}.svg")
    cells = file.read()
    results.require_comparable(cells, file.path)
    (folder / "report.md").write_text(report.markdown(cells))
    log.info("reported", table=str(folder / "report.md"))
