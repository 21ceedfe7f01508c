"""What does learning cost? The default against encoding alone, and against a plain loop."""

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
"""Documents of a round."""

PLAIN_BLOCK = 8
"""Documents of a round that the plain loop learns, which is slow."""

WARM_UP = 1
"""Rounds that don't count: each length of text is compiled once."""

DEFAULT, PLAIN = "default settings", "plain loop"


def compare(documents: Sequence[Document], rounds: int) -> list[Comparison]:
    """Learn and encode the documents in turns, all in this process.

    Parameters
    ----------
    documents
        Enough for all rounds: `needed` says how many.
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
            f"The same {BLOCK} documents a round in one process, of {model.max_tokens} tokens at"
            " most; the default settings predict, score, learn and remember, the encoders tokenize"
            f" and encode (OpenVINO auto: in int8). The fastest encoder is {fastest}.",
            "documents/s",
            fastest,
            {name: figures[name] for name in (DEFAULT, *encoding)},
        ),
        Comparison(
            "plain-loop",
            "The default settings, and a plain loop",
            "The plain loop fine-tunes all layers by SGD, one document at a time, in fp32, without"
            f" replay and averaging: {PLAIN_BLOCK} of the {BLOCK} documents a round.",
            "documents/s",
            PLAIN,
            {name: figures[name] for name in (DEFAULT, PLAIN)},
        ),
    ]


def needed(rounds: int) -> int:
    """Return how many documents `compare` takes."""
    return BLOCK * (WARM_UP + rounds)


def _learn(steps: Iterator[Step], count: int, _: int) -> float:
    """Learn the next documents; returns how many a second."""
    start = time.perf_counter()
    done = 0
    while done < count:
        done += len(next(steps).predictions)
    return done / (time.perf_counter() - start)


def _encode(encode: encoders.Texts, blocks: Sequence[Sequence[Document]], number: int) -> float:
    """Encode the documents of a round; returns how many a second."""
    texts = [document.text for document in blocks[number]]
    start = time.perf_counter()
    encode(texts)
    return len(texts) / (time.perf_counter() - start)
