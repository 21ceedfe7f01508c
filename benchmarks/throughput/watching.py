"""What does the evaluator cost? The consumer that is watched against one that is alone."""

from collections.abc import Sequence

from benchmarks.throughput import processes, streaming
from benchmarks.throughput.comparison import Comparison, interleave
from events.document import Document
from producer import connection
from producer.tally import Tally

OFTEN = 640
"""Records between commits: there is always something to examine."""
HELD_OUT = 1000
"""Documents to examine it on."""


def compare(
    documents: Sequence[Document], heldout: Sequence[Document], rounds: int
) -> list[Comparison]:
    """Let consumers learn the same topic in turns, with and without an evaluator beside them."""
    with processes.broker() as (broker, folder):
        topic, held_out = (processes.new_topic(broker) for _ in range(2))
        for name, published in ((topic, documents), (held_out, heldout)):
            with connection.connect(broker, name, "benchmarks", Tally()) as publisher:
                for document in published:
                    publisher.publish(document)

        def alone(number: int, name: str = "alone") -> float:
            summary = folder / f"{name}-{number}.json"
            processes.run(
                "consumer",
                *("--topic", topic, "--group", f"{topic}-{name}-{number}", "--http-port", 0),
                *("--checkpoint-dir", folder / f"{name}-{number}", "--summary", summary),
                *("--stop-after", len(documents), "--stop-when-idle", streaming.IDLE_SECONDS),
                *("--checkpoint-every", OFTEN),
                connection=broker,
            )
            return streaming.rate(summary, len(documents))

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
