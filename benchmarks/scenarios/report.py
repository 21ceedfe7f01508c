"""Cells as a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import results
from benchmarks.quality import report
from benchmarks.scenarios.columns import SCENARIOS
from benchmarks.scenarios.rows import ROWS

FIGURES = {
    "prequential": ("prequential_accuracy", "{:.1%}"),
    "anytime": ("anytime_accuracy", "{:.1%}"),
    "held-out": ("heldout_accuracy", "{:.1%}"),
    "forgetting": ("forgetting", "{:.3f}"),
    "backward transfer": ("backward_transfer", "{:+.3f}"),
    "noticed after": ("delay", "{:,.0f}"),
    "false alarms": ("false_alarms", "{}"),
    "noticed on texts after": ("delay_inputs", "{:,.0f}"),
    "false alarms on texts": ("false_alarms_inputs", "{}"),
    "recovered after": ("recovery", "{:,.0f}"),
}

LEGEND = """\
Each document of the train split is predicted, then learned. "anytime" is the mean over
examinations on 2,000 held-out documents, every 1,000 documents and at each change, of the accuracy
on labels seen so far. "held-out" is on the whole test split at the end, with labels as they are
called then. "forgetting" is the best recall of a label so far less that at the end, "backward
transfer" that at the end less that at the first examination after the label came, both mean over
labels. "noticed after" so many documents, mean over the changes, by the error's detector or by that
of the texts; a drift that was told later than 1,000 documents after a change is a false alarm.
"recovered after" so many documents from the first change the accuracy of the last 300 is within 3
points of that of the 1,000 before it. Empty: never, or nothing changes.
"""


def markdown(cells: Sequence[Mapping[str, Any]]) -> str:
    """Return a table and a picture for each scenario, and how the figures were made."""
    parts = ["# Streams that change\n", LEGEND]
    for name, text in SCENARIOS.items():
        column = {cell["row"]: cell for cell in cells if cell["column"] == name}
        if not column:
            continue
        (first, *_) = column.values()
        parts.append(f"## `--scenario {text}`\n")
        changes = ", ".join(f"{moment:,}" for moment in first["changes"])
        parts.append(
            f"{first['documents']:,} documents"
            + (f"; it changes after {changes}" if changes else "")
            + f".\n\n![Labels over time, and accuracy]({name}.svg)\n"
        )
        parts.append(f"| | {' | '.join(FIGURES)} |\n| --- |{' ---: |' * len(FIGURES)}")
        for row in ROWS:
            if row in column:
                shown = " | ".join(_shown(column[row], *how) for how in FIGURES.values())
                parts.append(f"| {ROWS[row].title} | {shown} |")
        parts.append("")
    parts += ["## How these figures were made\n", report.made(cells)]
    return "\n".join(parts)


def _shown(cell: results.Cell, figure: str, how: str) -> str:
    return "" if cell[figure] is None else how.format(cell[figure])
