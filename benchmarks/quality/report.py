"""Write cells as Markdown tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.quality.rows import title
from benchmarks.quality.streams import STREAMS
from benchmarks.results import Cell, distinct

FIGURES = {
    "held-out": ("heldout_accuracy", "{:.1%}"),
    "held-out macro-F1": ("heldout_macro_f1", "{:.1%}"),
    "prequential": ("prequential_accuracy", "{:.1%}"),
    "last 2,000": ("prequential_accuracy_last_2000", "{:.1%}"),
    "macro-F1": ("prequential_macro_f1", "{:.1%}"),
    "log-loss": ("prequential_log_loss", "{:.2f}"),
    "docs/s": ("documents_per_second", "{:,.1f}"),
    "peak MB": ("peak_rss_mb", "{:,.0f}"),
    "parameters": ("parameters", "{:,}"),
    "checkpoint MB": ("checkpoint_megabytes", "{:,.1f}"),
}

LEGEND = """\
Each document is predicted, then learned, once (prequential evaluation). "prequential",
"last 2,000", "macro-F1" and "log-loss" (in nats) are over the stream, "held-out" is over the test
split after the stream. Offline rows see the whole stream before they predict. "docs/s" is the speed
of predicting and learning, without reading and scoring. "peak MB" is the memory of the whole
process, the corpus included.
"""


def markdown(cells: Sequence[Cell]) -> str:
    """Return a table for each stream, best row first, and the conditions of the figures."""
    parts = ["# Quality on streams of 20 Newsgroups\n", LEGEND]
    for name, stream in STREAMS.items():
        column = [cell for cell in cells if cell["column"] == name]
        if not column:
            continue
        parts.append(f"## `{name}`: {stream.title}\n")
        measured = [cell for cell in column if "skipped" not in cell]
        if measured:
            first = measured[0]
            parts.append(
                f"{first['documents']:,} documents of {first['labels']} labels, evaluated on"
                f" {first['heldout_documents']:,}. ![Accuracy over the stream]({plot_name(name)})\n"
            )
            parts.append(_table(ranked(measured, stream.measure)))
        parts += [
            f"{title(cell['row'])} is skipped: {cell['skipped']}.\n"
            for cell in column
            if "skipped" in cell
        ]
    parts += ["## How these figures were made\n", conditions(cells)]
    return "\n".join(parts)


def plot_name(column: str) -> str:
    """Return the file name of a stream's plot."""
    return f"accuracy-{column}.svg"


def ranked(cells: Iterable[Cell], measure: str) -> list[Cell]:
    """Sort cells by a measure, the best first."""
    return sorted(cells, key=lambda cell: cell[measure], reverse=True)


def _table(cells: Iterable[Cell]) -> str:
    lines = [_line(["", *FIGURES]), _line(["---", *["---:"] * len(FIGURES)])]
    for cell in cells:
        size = cell["checkpoint_bytes"]
        figures = {**cell, "checkpoint_megabytes": None if size is None else size / 1e6}
        values = [_format(figures.get(name), form) for name, form in FIGURES.values()]
        lines.append(_line([title(cell["row"]), *values]))
    return "\n".join(lines) + "\n"


def _line(entries: Iterable[str]) -> str:
    return f"| {' | '.join(entries)} |"


def _format(figure: float | None, form: str) -> str:
    return "-" if figure is None else form.format(figure)


def conditions(cells: Sequence[Cell]) -> str:
    """Return corpus, seed, machine, versions and settings of cells as a Markdown list."""
    facts = [f"- corpus: {_corpus(corpus)}" for corpus in distinct(cells, "corpus")]
    facts += [f"- seed: {seed}" for seed in distinct(cells, "seed")]
    facts += [
        f"- machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB"
        for machine in distinct(cells, "machine")
    ]
    facts += [
        f"- versions: {', '.join(f'{name} {version}' for name, version in versions.items())}"
        for versions in distinct(cells, "versions")
    ]
    settings: dict[str, Any] = {
        cell["row"]: cell["settings"] for cell in cells if "settings" in cell
    }
    facts += [
        f"- {title(row)}: {', '.join(f'{name} `{value}`' for name, value in chosen.items())}"
        for row, chosen in settings.items()
    ]
    return "\n".join(facts) + "\n"


def _corpus(corpus: dict[str, Any]) -> str:
    return (
        f"{corpus['copy']}, {corpus['train']:,} + {corpus['test']:,} documents,"
        f" fingerprint {corpus['fingerprint']}"
    )
