"""What does serving cost? The consumer that is asked for predictions against one that is not."""

from collections.abc import Sequence

from benchmarks.throughput import processes, streaming
from benchmarks.throughput.client import PAGE_SECONDS, asking
from benchmarks.throughput.comparison import Comparison, interleave
from harness.broker import free_port
from newsreel.events.document import Document

TAIL = 0.99
"""Of the answers, so many came in no longer than what is told."""


def compare(documents: Sequence[Document], rounds: int) -> list[Comparison]:
    """Let consumers learn the same topic in turns, with and without a client that always asks."""
    waits: dict[str, list[float]] = {"median": [], "99 of 100": []}
    with processes.broker() as (broker, folder):
        topic = streaming.published(broker, documents)
        texts = [document.text for document in documents]

        def consume(name: str, number: int, port: int) -> float:
            name = f"{name}-{number}"
            return streaming.learned(broker, folder, topic, name, len(documents), port=port)[0]

        def alone(number: int) -> float:
            return consume("alone", number, 0)

        def page(number: int) -> float:
            port = free_port()
            with asking(port, texts, PAGE_SECONDS):
                return consume("page", number, port)

        def asked(number: int) -> float:
            port = free_port()
            with asking(port, texts, 0.0) as seconds:
                figure = consume("asked", number, port)
            found = sorted(seconds)
            waits["median"].append(found[len(found) // 2])
            waits["99 of 100"].append(found[min(len(found) - 1, int(TAIL * len(found)))])
            return figure

        sides = {"not asked": alone, "page open": page, "asked without pause": asked}
        figures = interleave(sides, rounds)
    return [
        Comparison(
            "serving",
            "Learning while a client asks",
            f"{len(documents):,} documents a round over Kafka, default settings. As an open page, a"
            f" client asks every {PAGE_SECONDS} s how it goes, and here for a prediction too;"
            " another sends one text to /predict, waits for the answer, and sends the next.",
            "documents/s",
            "not asked",
            figures,
        ),
        Comparison(
            "answers",
            "How long the last one waits",
            "For one text, while the model learns as fast as it can.",
            "s",
            "median",
            waits,
        ),
    ]
