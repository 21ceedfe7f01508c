#!/usr/bin/env python3
"""Write the reference of all metrics, ``docs/metrics.md``, from their definitions."""

from collections.abc import Iterator

from consumer.monitoring.definitions import MAX_LABEL_SERIES, Definition
from consumer.monitoring.heldout_definitions import HELD_OUT
from consumer.monitoring.learning_definitions import LEARNING
from producer.metrics import PublishCollector
from producer.publisher import PublishCounts

HEAD = """\
# Metrics

<!-- Written by `make metrics` from consumer/monitoring/*_definitions.py: edit those. -->

Names and units follow Prometheus: seconds, bytes, and `_total` for counters. A share is a number
from 0 to 1.

**Counters count work**, including work that is repeated after a crash. They continue after a
restart, and none ever falls: a consumer saves them each time they are read, and at each commit.
**Gauges describe the history that survives**: after a crash they continue from the last commit, as
`/progress` does. Histograms start at zero with each process, which `rate()` takes into account. A
standby shows no counters before it learns.

The first {MAX_LABEL_SERIES} labels have a series of their own.
"""

GROUPS = {
    "prequential": "Prequential scores: documents are predicted before they are learned",
    "experts": "Experts of a blend",
    "work": "Work and its duration",
    "learning": "Last learning step",
    "replay": "Replay buffer",
    "drift": "Drift",
    "labels": "Late labels",
    "input": "Lag and input",
    "commits": "Checkpoints and commits",
    "held-out": "Held-out documents and forgetting",
    "process": "Processes",
}


def row(name: str, kind: str, labels: tuple[str, ...], text: str) -> str:
    """Write a row of a table."""
    return f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {text} |"


def table(definitions: list[Definition]) -> Iterator[str]:
    """Write a table of definitions."""
    yield from ("", "| metric | type | labels | |", "| --- | --- | --- | --- |")
    for definition in definitions:
        yield row(definition.exported, definition.kind, definition.labels, definition.help)


def lines() -> Iterator[str]:
    """Write the page."""
    yield HEAD.replace("{MAX_LABEL_SERIES}", str(MAX_LABEL_SERIES))
    for title, exported in (
        ("`python -m consumer`", LEARNING),
        ("`python -m consumer evaluate --watch`", HELD_OUT),
    ):
        yield f"## {title}"
        for group, heading in GROUPS.items():
            if members := [metric for metric in exported if metric.group == group]:
                yield f"\n### {heading}"
                yield from table(members)
        yield ""
    yield "Both also export the standard metrics `process_*` and `python_info`.\n"
    yield "## `python -m producer`\n\n| metric | type | labels | |\n| --- | --- | --- | --- |"
    for family in PublishCollector(PublishCounts()).collect():
        counter = family.type == "counter"
        name = family.name + ("_total" if counter else "")
        labels = tuple(family._labelnames)  # type: ignore[attr-defined]  # noqa: SLF001
        yield row(name, family.type, labels, family.documentation.rstrip("."))


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 - the page
