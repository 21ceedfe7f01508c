"""Does a document cost more as the memory fills? And as labels are discovered? In turns."""

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

REMEMBERED = (100, 2_000, 20_000)

LABELS = (20, 100, 1_000)

USUAL_REMEMBERED, USUAL_LABELS = 2_000, 20

TURNS = 2
"""Turns of the loop in a round."""

WARM_UP = 1
"""Rounds that don't count: outputs grow, and each length of text is compiled once."""


def compare(
    documents: Sequence[Document],
    rounds: int,
    remembered: Sequence[int] = REMEMBERED,
    labels: Sequence[int] = LABELS,
) -> list[Comparison]:
    """Let learners of different sizes take turns, each on the same documents.

    Parameters
    ----------
    documents
        They also fill the buffers, again and again: memories of one document share its features.
    remembered
        Documents that the replay buffer holds, smallest first.
    labels
        Labels that are known, smallest first.
    """
    usual = newsreel.build_model()
    features = extract(usual.extractor, documents)
    examples = [Example(*pair) for pair in zip(documents, features, strict=True)]

    def measure(remembered: int, labels: int) -> Measure:
        # What a learner knows has no part in what the buffer costs: it may be the same one.
        built = usual if labels == USUAL_LABELS else None
        loop = newsreel.build_loop(built, replay_capacity=remembered)
        fill(loop, usual.describes["experts"], examples, remembered, labels)
        steps = newsreel.steps(loop, _relabelled(cycle(documents), labels))
        return lambda _: _turns(steps)

    buffers = {f"{size:,} documents": measure(size, USUAL_LABELS) for size in remembered}
    outputs = {f"{size:,} labels": measure(USUAL_REMEMBERED, size) for size in labels}
    figures = interleave(buffers | outputs, rounds, WARM_UP)
    about = "Turns of the loop from memory: predict, score, learn, remember; default settings"
    return [
        Comparison(
            "replay-buffer",
            "Documents in the replay buffer",
            f"{about} but for the buffer, which is full; {USUAL_LABELS} labels.",
            "ms/document",
            next(iter(buffers)),
            {name: figures[name] for name in buffers},
        ),
        Comparison(
            "labels",
            "Labels known",
            f"{about}; {USUAL_REMEMBERED:,} documents in the buffer, labels are given to"
            " documents in turn.",
            "ms/document",
            next(iter(outputs)),
            {name: figures[name] for name in outputs},
        ),
    ]


def fill(
    loop: Loop,
    experts: Sequence[str],
    examples: Sequence[Example],
    remembered: int,
    labels: int,
) -> None:
    """Bring a loop to where it knows so many labels and remembers so many documents."""
    learner = loop.classifier.learner
    for number in range(labels):
        loop.classifier.labels.add(_label(number))
    stream = _relabelled((example.document for example in cycle(examples)), labels)
    documents = list(islice(stream, max(WINDOW, remembered, labels)))
    for document in documents[: max(WINDOW, labels)]:
        label = str(document.label)
        opinion = LabelProbability(label, 1.0, 1.0)
        loop.evaluator.update([Prediction(document, opinion, dict.fromkeys(experts, opinion))])
    kept = [learner.replay_features(example.features) for example in examples]
    loop.replay_buffer.add(map(Example, documents[:remembered], cycle(kept)))


def _relabelled(documents: Iterator[Document], labels: int) -> Iterator[Document]:
    """Give documents other labels, in turn; the last one first, so that all outputs are there."""
    for number, document in enumerate(documents):
        label = _label(labels - 1 - number % labels)
        yield replace(document, id=f"{number}", label=label)


def _label(number: int) -> str:
    return f"label-{number}"


def _turns(steps: Iterator[Step]) -> float:
    """Take some turns; returns milliseconds a document."""
    start = time.perf_counter()
    done = sum(len(step.predictions) for step in islice(steps, TURNS))
    return 1e3 * (time.perf_counter() - start) / done
