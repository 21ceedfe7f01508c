"""Measure the cost of a document by the size of the replay buffer and the number of labels."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice

from benchmarks import newsreel
from benchmarks.throughput.comparison import Comparison, Measure, interleave
from consumer.evaluation.evaluator import WINDOW, LabelProbability, Prediction
from consumer.features.extractor import Example, extract
from consumer.loop.prequential import Loop
from consumer.loop.step import Step
from newsreel.events.document import Document

ENTRIES = (100, 2_000, 20_000)

LABELS = (20, 100, 1_000)

DEFAULT_ENTRIES, DEFAULT_LABELS = 2_000, 20

TURNS = 2
"""Micro-batches in a round."""

WARM_UP = 1
"""Rounds that do not count, in which outputs grow and the runtime compiles each text length."""


def compare(
    documents: Sequence[Document],
    rounds: int,
    entries: Sequence[int] = ENTRIES,
    labels: Sequence[int] = LABELS,
) -> list[Comparison]:
    """Run loops of different sizes in turns on the same documents.

    Parameters
    ----------
    documents
        Documents of the stream, repeated to fill the buffers; copies of a document share features.
    entries
        Numbers of documents in the replay buffer, smallest first.
    labels
        Numbers of known labels, smallest first.
    """
    default = newsreel.build_model()
    features = extract(default.extractor, documents)
    examples = [Example(*pair) for pair in zip(documents, features, strict=True)]

    def measure(entries: int, labels: int) -> Measure:
        # The cost of the buffer does not depend on what the learner knows: loops may share it.
        built = default if labels == DEFAULT_LABELS else None
        loop = newsreel.build_loop(built, replay_capacity=entries)
        fill(loop, default.describes["experts"], examples, entries, labels)
        steps = newsreel.steps(loop, _relabelled(cycle(documents), labels))
        return lambda _: _turns(steps)

    buffers = {f"{size:,} documents": measure(size, DEFAULT_LABELS) for size in entries}
    outputs = {f"{size:,} labels": measure(DEFAULT_ENTRIES, size) for size in labels}
    figures = interleave(buffers | outputs, rounds, WARM_UP)
    about = "Micro-batches from memory: predict, score, learn, replay; default settings"
    return [
        Comparison(
            "replay-buffer",
            "Documents in the replay buffer",
            f"{about} except for the buffer, which is full; {DEFAULT_LABELS} labels.",
            "ms/document",
            next(iter(buffers)),
            {name: figures[name] for name in buffers},
        ),
        Comparison(
            "labels",
            "Labels known",
            f"{about}; {DEFAULT_ENTRIES:,} documents in the buffer, with labels assigned in turn.",
            "ms/document",
            next(iter(outputs)),
            {name: figures[name] for name in outputs},
        ),
    ]


def fill(
    loop: Loop,
    experts: Sequence[str],
    examples: Sequence[Example],
    entries: int,
    labels: int,
) -> None:
    """Fill a loop's buffer with documents, and its evaluator with predictions of all labels."""
    learner = loop.classifier.learner
    for number in range(labels):
        loop.classifier.labels.add(_label(number))
    stream = _relabelled((example.document for example in cycle(examples)), labels)
    documents = list(islice(stream, max(WINDOW, entries, labels)))
    for document in documents[: max(WINDOW, labels)]:
        label = str(document.label)
        certain = LabelProbability(label, 1.0, 1.0)
        loop.evaluator.update([Prediction(document, certain, dict.fromkeys(experts, certain))])
    features = [learner.replay_features(example.features) for example in examples]
    loop.replay_buffer.add(map(Example, documents[:entries], cycle(features)))


def _relabelled(documents: Iterator[Document], labels: int) -> Iterator[Document]:
    """Assign labels to documents in turn, the last label first, so that all outputs exist."""
    for number, document in enumerate(documents):
        label = _label(labels - 1 - number % labels)
        yield replace(document, id=f"{number}", label=label)


def _label(number: int) -> str:
    return f"label-{number}"


def _turns(steps: Iterator[Step]) -> float:
    """Learn some micro-batches; return milliseconds per document."""
    start = time.perf_counter()
    done = sum(len(step.predictions) for step in islice(steps, TURNS))
    return 1e3 * (time.perf_counter() - start) / done
