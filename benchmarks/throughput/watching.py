"""Measure the cost of watching: the consumer with evaluator and live page, and alone."""

from collections.abc import Mapping, Sequence

from benchmarks import machine
from benchmarks.throughput import processes, streaming
from benchmarks.throughput.client import PAGE_SECONDS, requesting
from benchmarks.throughput.comparison import Comparison, Measure, interleave
from harness.broker import free_port
from newsreel.events.document import Document

OFTEN = 640
"""Records between commits; the evaluator always has a new checkpoint."""

HELD_OUT = 1000
"""Held-out documents of an evaluation."""


def compare(
    documents: Sequence[Document], heldout: Sequence[Document], rounds: int
) -> list[Comparison]:
    """Learn the same topic in turns, alone and watched, with and without a spare core."""
    cores = machine.cores()
    spare = max(1, cores - 1)
    texts = [document.text for document in documents]
    with processes.broker() as (broker, folder):
        topic, held_out = (
            streaming.publish_to_new_topic(broker, split) for split in (documents, heldout)
        )

        def consume(name: str, threads: int, port: int = 0) -> float:
            options = ("--checkpoint-every", OFTEN)
            return streaming.consume(
                *(broker, folder, topic, name, len(documents), *options), port=port, threads=threads
            )[0]

        def alone(threads: int) -> Measure:
            return lambda number: consume(f"alone-{threads}-{number}", threads)

        def watched(threads: int, port: int = 0) -> Measure:
            def measure(number: int) -> float:
                name = f"watched-{threads}-{port}-{number}"
                with processes.started(
                    *("consumer", "evaluate", "--watch", "--http-port", 0, "--topic", held_out),
                    *("--checkpoint", folder / name),
                    connection=broker,
                ):
                    return consume(name, threads, port)

            return measure

        def shown(threads: int) -> Measure:
            def measure(number: int) -> float:
                port = free_port()
                with requesting(port, texts, PAGE_SECONDS):
                    return watched(threads, port)(number)

            return measure

        sides = {"alone": alone(spare), "evaluator": watched(spare)}
        sides |= {"evaluator and page": shown(spare)}
        sides |= {"alone, all cores": alone(cores), "evaluator and page, all cores": shown(cores)}
        figures = interleave(sides, rounds)
    about = (
        f"{len(documents):,} documents a round over Kafka, a commit every {OFTEN}. The evaluator"
        f" scores each checkpoint on {len(heldout):,} held-out documents with one thread. A client"
        f" requests progress every {PAGE_SECONDS} s, as an open page does, and a prediction too."
    )
    return _comparisons(figures, about, cores, spare)


def _comparisons(
    figures: Mapping[str, Sequence[float]], about: str, cores: int, spare: int
) -> list[Comparison]:
    """Build the comparison with a spare core, and the comparison without one."""
    return [
        Comparison(
            "watching",
            "Learning beside evaluator and page, with a core to spare",
            f"{about} The consumer computes with {spare} of {cores} cores.",
            "documents/s",
            "alone",
            {side: figures[side] for side in ("alone", "evaluator", "evaluator and page")},
        ),
        Comparison(
            "watching-crowded",
            "Learning beside evaluator and page, without a core to spare",
            f"{about} The consumer computes with {cores} of {cores} cores.",
            "documents/s",
            "alone",
            {side: figures[f"{side}, all cores"] for side in ("alone", "evaluator and page")},
        ),
    ]
