"""The output of the running demo: a live view on a terminal, log lines elsewhere."""

import math
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.report import percent

LINE_SECONDS = 10.0

MISTAKES = 4

EXCERPT_CHARACTERS = 90


class Screen:
    """Shows the consumer's progress.

    Parameters
    ----------
    console
        Console to print to.
    documents
        Number of documents that the stream will have.
    address
        URL of the consumer's page.
    """

    def __init__(self, console: Console, documents: int, address: str) -> None:
        self._console = console
        self._documents = documents
        self._address = address
        self._address_shown = False
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._next_line = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, progress: Mapping[str, Any]) -> None:
        """Show a snapshot of the consumer's progress, the first one after the page's address."""
        if not self._address_shown:
            self._address_shown = True
            self._console.print(f"watch the model learn at {self._address} until the demo ends")
        if self._live:
            self._live.update(self._view(progress), refresh=True)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            line = self._line(progress)
            if progress["documents"] >= self._documents:
                line += "\nevaluating the model on the held-out documents"
                self._next_line = math.inf
            self._console.print(line, highlight=False, soft_wrap=True)

    def _line(self, progress: Mapping[str, Any]) -> str:
        scores = progress["prequential"] or {"whole": {}, "window": {}}
        line = (
            f"{progress['documents']:>6,} of {self._documents:,} documents"
            f"   accuracy {percent(scores['window'].get('accuracy')):>6}"
            f"   {progress['documents_per_second'] or 0:5.1f} documents/s"
            f"   lag {progress['lag'] or 0:>6,}"
            f"   labels {progress['labels']:>3}"
        )
        if progress["mistakes"]:
            latest = progress["mistakes"][-1]
            line += f"   took {latest['label']} for {latest['predicted']}"
        return line

    def _view(self, progress: Mapping[str, Any]) -> Group:
        scores = progress["prequential"] or {"whole": {}, "window": {}}
        numbers = Table.grid(padding=(0, 3))
        numbers.add_row("documents", f"{progress['documents']:,} of {self._documents:,}")
        numbers.add_row("accuracy, last 1,000", percent(scores["window"].get("accuracy")))
        numbers.add_row("accuracy, whole stream", percent(scores["whole"].get("accuracy")))
        numbers.add_row("documents per second", f"{progress['documents_per_second'] or 0:.1f}")
        numbers.add_row("lag", f"{progress['lag'] or 0:,}")
        numbers.add_row("labels discovered", f"{progress['labels']}")
        numbers.add_row("replay buffer", f"{progress['replay_buffer']:,}")
        mistakes = Table("predicted", "is", "text", title="latest mistakes", title_justify="left")
        for mistake in progress["mistakes"][-MISTAKES:]:
            text = " ".join(mistake["text"].split())[:EXCERPT_CHARACTERS]
            mistakes.add_row(
                f"{mistake['predicted']} ({mistake['probability']:.0%})",
                mistake["label"],
                Text(text, overflow="ellipsis", no_wrap=True),
            )
        done = progress["documents"] >= self._documents
        return Group(numbers, mistakes, *(["evaluating the model on held-out documents"] * done))
