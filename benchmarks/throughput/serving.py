"""Measure the cost of serving: the consumer with a client that requests predictions, and alone."""

from collections.abc import Sequence

from benchmarks.throughput import processes, streaming
from benchmarks.throughput.client import PAGE_SECONDS, requesting
from benchmarks.throughput.comparison import Comparison, interleave
from harness.broker import free_port
from newsreel.events.document import Document

QUANTILE = 0.99
"""Quantile of the response times that is reported."""


def compare(documents: Sequence[Document], rounds: int) -> list[Comparison]:
    """Learn the same topic in turns with different clients, and without a client."""
    waits: dict[str, list[float]] = {"median": [], "99 of 100": []}
    with processes.broker() as (broker, folder):
        topic = streaming.publish_to_new_topic(broker, documents)
        texts = [document.text for document in documents]

        def consume(name: str, number: int, port: int) -> float:
            name = f"{name}-{number}"
            return streaming.consume(broker, folder, topic, name, len(documents), port=port)[0]

        def alone(number: int) -> float:
            return consume("alone", number, 0)

        def page(number: int) -> float:
            port = free_port()
            with requesting(port, texts, PAGE_SECONDS):
                return consume("page", number, port)

        def busy(number: int) -> float:
            port = free_port()
            with requesting(port, texts, 0.0) as seconds:
                figure = consume("busy", number, port)
            ordered = sorted(seconds)
            waits["median"].append(ordered[len(ordered) // 2])
            waits["99 of 100"].append(ordered[min(len(ordered) - 1, int(QUANTILE * len(ordered)))])
            return figure

        sides = {"not asked": alone, "page open": page, "asked without pause": busy}
        figures = interleave(sides, rounds)
    return [
        Comparison(
            "serving",
            "Learning while a client asks",
            f"{len(documents):,} documents a round over Kafka, default settings. A client requests"
            f" progress every {PAGE_SECONDS} s, as an open page does, and a prediction too; another"
            " client sends a text to /predict, waits for the answer, and sends the next.",
            "documents/s",
            "not asked",
            figures,
        ),
        Comparison(
            "answers",
            "Response time of the client that asks without pause",
            "For one text, while the model learns as fast as it can.",
            "s",
            "median",
            waits,
        ),
    ]
