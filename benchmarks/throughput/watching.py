"""What does it cost to be watched? Learning with evaluator and page beside it, and alone."""

from collections.abc import Sequence

from benchmarks import machine
from benchmarks.throughput import processes, streaming
from benchmarks.throughput.client import PAGE_SECONDS, asking
from benchmarks.throughput.comparison import Comparison, Measure, interleave
from harness.broker import free_port
from newsreel.events.document import Document

OFTEN = 640
"""Records between commits: there is always something to examine."""

HELD_OUT = 1000
"""Documents to examine it on."""


def compare(
    documents: Sequence[Document], heldout: Sequence[Document], rounds: int
) -> list[Comparison]:
    """Let consumers learn the same topic in turns, alone and with others beside them.

    With a core to spare, and with none.
    """
    cores = machine.cores()
    spare = max(1, cores - 1)
    texts = [document.text for document in documents]
    with processes.broker() as (broker, folder):
        topic, held_out = (streaming.published(broker, some) for some in (documents, heldout))

        def consume(name: str, threads: int, port: int = 0) -> float:
            options = ("--checkpoint-every", OFTEN)
            return streaming.learned(
                *(broker, folder, topic, name, len(documents), *options), port=port, threads=threads
            )[0]

        def alone(threads: int) -> Measure:
            return lambda number: consume(f"alone-{threads}-{number}", threads)

        def watched(threads: int, port: int = 0) -> Measure:
            def measure(number: int) -> float:
                name = f"watched-{threads}-{port}-{number}"
                with processes.beside(
                    *("consumer", "evaluate", "--watch", "--http-port", 0, "--topic", held_out),
                    *("--checkpoint", folder / name),
                    connection=broker,
                ):
                    return consume(name, threads, port)

            return measure

        def shown(threads: int) -> Measure:
            def measure(number: int) -> float:
                port = free_port()
                with asking(port, texts, PAGE_SECONDS):
                    return watched(threads, port)(number)

            return measure

        sides = {"alone": alone(spare), "evaluator": watched(spare)}
        sides |= {"evaluator and page": shown(spare)}
        sides |= {"alone, all cores": alone(cores), "evaluator and page, all cores": shown(cores)}
        figures = interleave(sides, rounds)
    about = (
        f"{len(documents):,} documents a round over Kafka, a commit every {OFTEN}; the evaluator"
        f" follows them with one thread, examining each on {len(heldout):,} held-out documents; as"
        f" an open page, a client asks every {PAGE_SECONDS} s how it goes, and here for a"
        f" prediction too. The consumer computes with {{}} of {cores} cores."
    )
    return [
        Comparison(
            "watching",
            "Learning while it is watched, with a core to spare",
            about.format(spare),
            "documents/s",
            "alone",
            {side: figures[side] for side in ("alone", "evaluator", "evaluator and page")},
        ),
        Comparison(
            "watching-crowded",
            "The same without a core to spare",
            about.format(cores),
            "documents/s",
            "alone",
            {side: figures[f"{side}, all cores"] for side in ("alone", "evaluator and page")},
        ),
    ]
