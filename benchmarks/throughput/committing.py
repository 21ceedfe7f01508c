"""What does committing cost? The consumer that commits against one that does so at the end."""

import re
from collections.abc import Sequence

from benchmarks.throughput import processes, streaming
from benchmarks.throughput.comparison import Comparison, interleave
from newsreel.events.document import Document

NEVER = 10**9

MANY = 24
"""Commits of a round where many pauses are wanted."""

OFTEN = 160
"""Records between commits where many pauses are wanted."""

MOST = 0.99
"""Of the pauses, so many are no longer than what is told."""


def compare(documents: Sequence[Document], rounds: int) -> list[Comparison]:
    """Let consumers learn the same topic in turns."""
    pauses: dict[str, list[float]] = {"median": [], "99 of 100": [], "longest": []}
    sizes: dict[str, list[float]] = {"checkpoint": []}
    with processes.broker() as (broker, folder):
        topic = streaming.published(broker, documents)

        def consume(
            name: str, number: int, *options: object, count: int = len(documents)
        ) -> tuple[float, str]:
            return streaming.learned(broker, folder, topic, f"{name}-{number}", count, *options)

        def once(number: int) -> float:
            options = ("--checkpoint-every", NEVER, "--checkpoint-seconds", NEVER)
            return consume("once", number, *options)[0]

        def default(number: int) -> float:
            return consume("default", number)[0]

        def often(number: int) -> float:
            count = min(len(documents), MANY * OFTEN)
            figure, log = consume("often", number, "--checkpoint-every", OFTEN, count=count)
            found = sorted(float(pause) for pause in re.findall(r"pause=([\d.]+)", log))
            pauses["median"].append(found[len(found) // 2])
            pauses["99 of 100"].append(found[min(len(found) - 1, int(MOST * len(found)))])
            pauses["longest"].append(found[-1])
            sizes["checkpoint"].append(int(re.findall(r"bytes=(\d+)", log)[-1]) / 1e6)
            return figure

        every = f"every {OFTEN} documents"
        figures = interleave(
            {"at the end only": once, "default interval": default, every: often}, rounds
        )
    return [
        Comparison(
            "committing",
            "Commits in mid-stream, and one at the end",
            f"{len(documents):,} documents a round over Kafka, the last side {MANY} commits at"
            " most; each is a process with default settings but for when it commits.",
            "documents/s",
            "at the end only",
            figures,
        ),
        Comparison(
            "pauses",
            "How long learning waits for a commit",
            f"The copy of all state between two steps, committing {every}; each round by itself.",
            "s",
            "median",
            pauses,
        ),
        Comparison(
            "checkpoint",
            "Size of the last checkpoint",
            "All files of it: what was learned, the optimizer's moments, the replay buffer.",
            "MB",
            "checkpoint",
            sizes,
        ),
    ]
