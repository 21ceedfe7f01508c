"""Write comparisons as Markdown tables."""

from collections.abc import Sequence
from typing import Any

from benchmarks.results import Cell
from benchmarks.throughput.comparison import Comparison, Spread

LEGEND = """\
The sides of a comparison are measured in turns, round after round. A ratio compares a side with the
side that has no ratio, round by round: a load that slows the whole machine for a while hardly
changes it. Figures and ratios are medians over the rounds, with their range in brackets.
"""


def markdown(cells: Sequence[Cell]) -> str:
    """Return a table for each comparison, and the conditions of each group of comparisons."""
    parts = ["# Throughput\n", LEGEND]
    groups: dict[str, list[str]] = {}
    for cell in cells:
        comparison = Comparison.read(cell)
        parts += [f"## {comparison.title}\n", f"{comparison.about}\n", _table(comparison)]
        groups.setdefault(_conditions(cell), []).append(comparison.title)
    parts.append("## How these figures were made\n")
    for conditions, titles in groups.items():
        parts += [f"{'; '.join(titles)}:\n", conditions]
    return "\n".join(parts)


def _table(comparison: Comparison) -> str:
    lines = [f"| | {comparison.unit} | ratio | rounds |", "| --- | ---: | ---: | ---: |"]
    for side, figures in comparison.figures.items():
        ratio = "-" if side == comparison.base else _format(comparison.ratio(side))
        entries = (side, _format(comparison.spread(side)), ratio, str(len(figures)))
        lines.append(f"| {' | '.join(entries)} |")
    return "\n".join(lines) + "\n"


def _format(spread: Spread) -> str:
    return f"{_digits(spread.median)} ({_digits(spread.least)} - {_digits(spread.most)})"


def _digits(figure: float) -> str:
    """Format a figure with three digits, or with all digits before the point."""
    whole = len(str(int(figure))) if figure >= 1 else 0
    return f"{figure:,.{max(0, 3 - whole)}f}"


def _conditions(cell: Cell) -> str:
    corpus: dict[str, Any] = cell["corpus"]
    machine, versions = cell["machine"], cell["versions"]
    before, after = cell["load"]
    facts = [
        f"- corpus: {corpus['copy']}, fingerprint {corpus['fingerprint']}; seed {cell['seed']}",
        f"- machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB",
        f"- load average of a minute: {before} before the first round, {after} after the last",
        f"- versions: {', '.join(f'{name} {version}' for name, version in versions.items())}",
    ]
    return "\n".join(facts) + "\n"
