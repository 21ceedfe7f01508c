"""What does the evaluator cost? The consumer that is watched against one that is alone."""

from collections.abc import Sequence

from benchmarks.throughput import processes, streaming
from benchmarks.throughput.comparison import Comparison, interleave
from events.document import Document

OFTEN = 640
"""Records between commits: there is always something to examine."""
HELD_OUT = 1000
"""Documents to examine it on."""


def compare(
    documents: Sequence[Document], heldout: Sequence[Document], rounds: int
) -> list[Comparison]:
    """Let consumers learn the same topic in turns, with and without an evaluator beside them."""
    with processes.broker() as (broker, folder):
        topic, held_out = (streaming.published(broker, some) for some in (documents, heldout))

        def alone(number: int, name: str = "alone") -> float:
            options = ("--checkpoint-every", OFTEN)
            name = f"{name}-{number}"
            return streaming.learned(broker, folder, topic, name, len(documents), *options)[0]

        def watched(number: int) -> float:
            with processes.beside(
                *("consumer", "evaluate", "--watch", "--http-port", 0, "--topic", held_out),
                *("--checkpoint", folder / f"watched-{number}"),
                connection=broker,
            ):
                return alone(number, "watched")

        figures = interleave({"alone": alone, "watched": watched}, rounds)
    return [
        Comparison(
            "watching",
            "The consumer with an evaluator beside it, and alone",
            f"{len(documents):,} documents a round over Kafka, a commit every {OFTEN}; the"
            f" evaluator follows them with one thread, examining each on {len(heldout):,} held-out"
            " documents, and takes what the consumer leaves of the same cores.",
            "documents/s",
            "alone",
            figures,
        )
    ]
