"""Measure the cost of commits: the consumer with commits in mid-stream, and without."""

import re
from collections.abc import Sequence

from benchmarks.throughput import processes, streaming
from benchmarks.throughput.comparison import Comparison, interleave
from newsreel.events.document import Document

NEVER = 10**9

MANY = 24
"""Maximum number of commits in a round with frequent commits."""

OFTEN = 160
"""Records between frequent commits."""

QUANTILE = 0.99
"""Quantile of the pauses that is reported."""


def compare(documents: Sequence[Document], rounds: int) -> list[Comparison]:
    """Learn the same topic in turns with different intervals between commits."""
    pauses: dict[str, list[float]] = {"median": [], "99 of 100": [], "longest": []}
    sizes: dict[str, list[float]] = {"checkpoint": []}
    with processes.broker() as (broker, folder):
        topic = streaming.publish_to_new_topic(broker, documents)

        def consume(
            name: str, number: int, *options: object, count: int = len(documents)
        ) -> tuple[float, str]:
            return streaming.consume(broker, folder, topic, f"{name}-{number}", count, *options)

        def once(number: int) -> float:
            options = ("--checkpoint-every", NEVER, "--checkpoint-seconds", NEVER)
            return consume("once", number, *options)[0]

        def default(number: int) -> float:
            return consume("default", number)[0]

        def often(number: int) -> float:
            count = min(len(documents), MANY * OFTEN)
            figure, log = consume("often", number, "--checkpoint-every", OFTEN, count=count)
            seconds = sorted(float(pause) for pause in re.findall(r"pause=([\d.]+)", log))
            pauses["median"].append(seconds[len(seconds) // 2])
            pauses["99 of 100"].append(seconds[min(len(seconds) - 1, int(QUANTILE * len(seconds)))])
            pauses["longest"].append(seconds[-1])
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
            f"{len(documents):,} documents a round over Kafka, on the last side at most {MANY}"
            " commits; each side is a process with default settings except for its commits.",
            "documents/s",
            "at the end only",
            figures,
        ),
        Comparison(
            "pauses",
            "Time that learning waits for a commit",
            f"The copy of all state between two steps, with commits {every}; by round.",
            "s",
            "median",
            pauses,
        ),
        Comparison(
            "checkpoint",
            "Size of the last checkpoint",
            "All files: learned state, the optimizer's moments, the replay buffer.",
            "MB",
            "checkpoint",
            sizes,
        ),
    ]
