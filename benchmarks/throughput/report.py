"""Comparisons as tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.throughput.comparison import Comparison, Spread

LEGEND = """\
The sides of a comparison take turns, round after round. A ratio is that of a side to the one that
has none, each round by itself: what slows the whole machine for a while hardly changes it. Of
figures and ratios the median over the rounds is shown, and in brackets their range.
"""


def markdown(comparisons: Sequence[Comparison], about: Mapping[str, Any]) -> str:
    """Return a table for each comparison, and how the figures were made."""
    parts = ["# Throughput\n", LEGEND]
    for comparison in comparisons:
        parts += [f"## {comparison.title}\n", f"{comparison.about}\n", _table(comparison)]
    parts += ["## How these figures were made\n", _made(about)]
    return "\n".join(parts)


def _table(comparison: Comparison) -> str:
    lines = [f"| | {comparison.unit} | ratio | rounds |", "| --- | ---: | ---: | ---: |"]
    for side, figures in comparison.figures.items():
        ratio = "-" if side == comparison.base else _show(comparison.ratio(side))
        cells = (side, _show(comparison.spread(side)), ratio, str(len(figures)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _show(spread: Spread) -> str:
    return f"{_digits(spread.median)} ({_digits(spread.least)} - {_digits(spread.most)})"


def _digits(figure: float) -> str:
    """Show three digits, or all of those before the point."""
    whole = len(str(int(figure))) if figure >= 1 else 0
    return f"{figure:,.{max(0, 3 - whole)}f}"


def _made(about: Mapping[str, Any]) -> str:
    corpus, machine, versions = about["corpus"], about["machine"], about["versions"]
    before, after = about["load"]
    facts = [
        f"- corpus: {corpus['copy']}, fingerprint {corpus['fingerprint']}; seed {about['seed']}",
        f"- machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB",
        f"- load average of a minute: {before} before the first round, {after} after the last",
        f"- versions: {', '.join(f'{name} {version}' for name, version in versions.items())}",
    ]
    return "\n".join(facts) + "\n"
