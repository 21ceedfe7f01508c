"""How far the stream is, for somebody who watches it."""

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

Watch = Callable[[Stream, PublishCounts, int | None], Stream]
"""Passes a stream on and shows the tally; the number is how many will come, if that is known."""


def on_standard_error() -> Watch:
    """Choose a bar for a terminal, log lines for anything else."""
    return bar if sys.stderr.isatty() else lines


def bar(stream: Stream, tally: PublishCounts, total: int | None) -> Stream:
    """Show the documents delivered as a bar."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("publishing", total=total)
        for item in stream:
            yield item
            progress.update(task, completed=tally.delivered)


def lines(stream: Stream, tally: PublishCounts, total: int | None) -> Stream:
    """Log the number of documents delivered every few seconds."""
    due = time.monotonic() + LOG_SECONDS
    for item in stream:
        yield item
        if time.monotonic() >= due:
            log.info("publishing", delivered=tally.delivered, of=total or "?")
            due = time.monotonic() + LOG_SECONDS
