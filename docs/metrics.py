#!/usr/bin/env python3
"""The reference of all metrics, from their definitions: writes ``docs/metrics.md``."""

from collections.abc import Iterator

from consumer.monitoring.definitions import HELD_OUT, LEARNING, MAX_LABEL_SERIES, Definition
from producer.metrics import PublishCollector
from producer.publisher import PublishCounts

HEAD = """\
# Metrics

<!-- Written by `make metrics` from consumer/metrics/definitions.py: edit that. -->

Names and units are Prometheus's: seconds, bytes, `_total` for what only grows. A share is from 0
to 1.

**Counters count work that was done**, work done again after a crash included, and go on over a
restart: a consumer writes them down each time they are read and at each commit, and none ever
falls. **Gauges are of the history that survives**: after a crash they go on from the last commit,
as `/progress` does.
Histograms begin anew with each process, which `rate()` takes care of. A standby shows no counters
before it learns.

Of labels the first {MAX_LABEL_SERIES} to appear have a series of their own.
"""

GROUPS = {
    "prequential": "How well it predicts what it has not learned yet",
    "experts": "Experts of a blend",
    "work": "What was done, and how long it took",
    "learning": "The last learning step",
    "replay": "The replay buffer",
    "drift": "Drift",
    "labels": "Labels that come later",
    "input": "What waits",
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
    for one in definitions:
        yield row(one.exported, one.kind, one.labels, one.help)


def lines() -> Iterator[str]:
    """Write the page."""
    yield HEAD.replace("{MAX_LABEL_SERIES}", str(MAX_LABEL_SERIES))
    for title, exported in (
        ("`python -m consumer`", LEARNING),
        ("`python -m consumer evaluate --watch`", HELD_OUT),
    ):
        yield f"## {title}"
        for group, heading in GROUPS.items():
            if of_group := [one for one in exported if one.group == group]:
                yield f"\n### {heading}"
                yield from table(of_group)
        yield ""
    yield "Both also export Prometheus's usual `process_*` and `python_info`.\n"
    yield "## `python -m producer`\n\n| metric | type | labels | |\n| --- | --- | --- | --- |"
    for family in PublishCollector(PublishCounts()).collect():
        counter = family.type == "counter"
        name = family.name + ("_total" if counter else "")
        labels = tuple(family._labelnames)  # type: ignore[attr-defined]  # noqa: SLF001
        yield row(name, family.type, labels, family.documentation.rstrip("."))


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 - the page
