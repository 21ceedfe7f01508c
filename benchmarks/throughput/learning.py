"""Measure the cost of learning: default settings, encoding alone, and a plain loop."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import median

from benchmarks import newsreel
from benchmarks.throughput import encoders
from benchmarks.throughput.comparison import Comparison, Measure, interleave
from consumer.learners.config import ModelConfig
from consumer.loop.step import Step
from newsreel.events.document import Document

BLOCK = 64
"""Documents in a round."""

PLAIN_BLOCK = 8
"""Documents in a round of the plain loop, which is slow."""

WARM_UP = 1
"""Rounds that do not count, in which the runtime compiles each text length."""

DEFAULT, PLAIN = "default settings", "plain loop"


def compare(documents: Sequence[Document], rounds: int) -> list[Comparison]:
    """Learn and encode the documents in turns, all in this process.

    Parameters
    ----------
    documents
        As many documents as `needed` returns.
    """
    built = newsreel.build_model()
    default, plain = newsreel.build_loop(built), newsreel.build_loop(**newsreel.PLAIN)
    model = ModelConfig.read(built.describes)
    blocks = [documents[start : start + BLOCK] for start in range(0, len(documents), BLOCK)]
    first = [document for block in blocks for document in block[:PLAIN_BLOCK]]
    encoding: Mapping[str, Measure] = {
        name: partial(_encode, texts, blocks) for name, texts in encoders.build(model).items()
    }
    figures = interleave(
        {
            DEFAULT: partial(_learn, newsreel.steps(default, documents), BLOCK),
            **encoding,
            PLAIN: partial(_learn, newsreel.steps(plain, first), PLAIN_BLOCK),
        },
        rounds,
        WARM_UP,
    )
    fastest = max(encoding, key=lambda name: median(figures[name]))
    return [
        Comparison(
            "learning",
            "Learning, and encoding alone",
            f"The same {BLOCK} documents a round in one process, with at most {model.max_tokens}"
            " tokens. The default settings predict, score, learn and fill the replay buffer; the"
            " encoders tokenize and encode (OpenVINO auto: in int8). The fastest encoder is"
            f" {fastest}.",
            "documents/s",
            fastest,
            {name: figures[name] for name in (DEFAULT, *encoding)},
        ),
        Comparison(
            "plain-loop",
            "The default settings, and a plain loop",
            "The plain loop fine-tunes all layers by SGD, one document at a time, in fp32, without"
            f" replay and averaging, on {PLAIN_BLOCK} of the {BLOCK} documents of a round.",
            "documents/s",
            PLAIN,
            {name: figures[name] for name in (DEFAULT, PLAIN)},
        ),
    ]


def needed(rounds: int) -> int:
    """Return the number of documents that `compare` needs."""
    return BLOCK * (WARM_UP + rounds)


def _learn(steps: Iterator[Step], count: int, _: int) -> float:
    """Learn the next documents; return documents per second."""
    start = time.perf_counter()
    done = 0
    while done < count:
        done += len(next(steps).predictions)
    return done / (time.perf_counter() - start)


def _encode(encode: encoders.Texts, blocks: Sequence[Sequence[Document]], number: int) -> float:
    """Encode the documents of a round; return documents per second."""
    texts = [document.text for document in blocks[number]]
    start = time.perf_counter()
    encode(texts)
    return len(texts) / (time.perf_counter() - start)
