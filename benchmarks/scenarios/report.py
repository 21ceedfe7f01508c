"""Write cells of scenarios as Markdown tables."""

from collections.abc import Sequence

from benchmarks.quality import report
from benchmarks.results import Cell
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
Each document of the train split is predicted, then learned. "anytime" is the accuracy on the labels
seen so far, on 2,000 held-out documents, mean over evaluations every 1,000 documents and at each
change. "held-out" is the accuracy on the whole test split at the end, with labels as the stream
names them then. "forgetting" is the best recall of a label so far less the recall at the end,
"backward transfer" the recall at the end less the recall at the first evaluation after the label
appeared; both are means over labels. "noticed after" is the number of documents from a change to
its detection, mean over changes, by the detector on errors or by the detector on texts; a drift
detected later than 1,000 documents after a change is a false alarm. "recovered after" is the number
of documents from the first change until the accuracy of the last 300 documents is within 3 points
of the accuracy of the 1,000 documents before the change. Empty: never, or nothing changes.
"""


def markdown(cells: Sequence[Cell]) -> str:
    """Return a table and a picture for each scenario, and the conditions of the figures."""
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
                values = " | ".join(_format(column[row], *field) for field in FIGURES.values())
                parts.append(f"| {ROWS[row].title} | {values} |")
        parts.append("")
    parts += ["## How these figures were made\n", report.conditions(cells)]
    return "\n".join(parts)


def _format(cell: Cell, field: str, form: str) -> str:
    return "" if cell[field] is None else form.format(cell[field])
