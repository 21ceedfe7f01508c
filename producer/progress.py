"""Progress of the stream, for people: a bar on a terminal, log lines elsewhere."""

import sys
import time
from collections.abc import Callable

import structlog
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from producer.publisher import PublishCounts
from producer.scenarios.stream import Stream

LOG_SECONDS = 5.0

log = structlog.get_logger()

Display = Callable[[Stream, PublishCounts, int | None], Stream]
"""Passes a stream on and shows the counts; the number is the total of documents, if known."""


def on_standard_error() -> Display:
    """Return the display for standard error: a bar on a terminal, log lines elsewhere."""
    return bar if sys.stderr.isatty() else lines


def bar(stream: Stream, counts: PublishCounts, total: int | None) -> Stream:
    """Show the number of delivered documents as a bar."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("publishing", total=total)
        for item in stream:
            yield item
            progress.update(task, completed=counts.delivered)


def lines(stream: Stream, counts: PublishCounts, total: int | None) -> Stream:
    """Log the number of delivered documents every few seconds."""
    due = time.monotonic() + LOG_SECONDS
    for item in stream:
        yield item
        if time.monotonic() >= due:
            log.info("publishing", delivered=counts.delivered, of=total or "?")
            due = time.monotonic() + LOG_SECONDS
