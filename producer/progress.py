"""How far the stream is, for somebody who watches it."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator

import structlog
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from events.document import Document
from producer.tally import Tally

LOG_SECONDS = 5.0

log = structlog.get_logger()

Watch = Callable[[Iterable[Document], Tally, int | None], Iterator[Document]]
"""Passes documents on and shows the tally; the number is how many will come, if that is known."""


def on_standard_error() -> Watch:
    """Choose a bar for a terminal, log lines for anything else."""
    return bar if sys.stderr.isatty() else lines


def bar(documents: Iterable[Document], tally: Tally, total: int | None) -> Iterator[Document]:
    """Show the documents delivered as a bar."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("publishing", total=total)
        for document in documents:
            yield document
            progress.update(task, completed=tally.delivered)


def lines(documents: Iterable[Document], tally: Tally, total: int | None) -> Iterator[Document]:
    """Log the number of documents delivered every few seconds."""
    due = time.monotonic() + LOG_SECONDS
    for document in documents:
        yield document
        if time.monotonic() >= due:
            log.info("publishing", delivered=tally.delivered, of=total or "?")
            due = time.monotonic() + LOG_SECONDS
