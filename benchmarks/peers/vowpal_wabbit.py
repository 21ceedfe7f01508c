"""Vowpal Wabbit: a logistic regression for each label, in a table of hashed weights."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vowpalwabbit import pyvw

from benchmarks.model import Size, prediction
from benchmarks.peers.words import words
from consumer.evaluation.evaluator import Prediction
from newsreel.events.document import Document

BITS = 24
"""Bits of the table's size; twenty labels share the table, as many as 20 bits for each."""

LEARNING_RATE = 1.0


class OneAgainstAll:
    """One-against-all on words without stop words, each text weighted to length 1.

    The number of labels must be declared before the first document; the labels themselves are
    discovered. ``--ngram 2`` was tried and lost accuracy.
    """

    batch_size = 1

    def __init__(self, labels: Sequence[str], _seed: int) -> None:
        self._options = (
            f"--oaa {len(labels)} --probabilities --loss_function logistic"
            f" --bit_precision {BITS} --learning_rate {LEARNING_RATE} --hash all"
        )
        self._workspace = pyvw.Workspace(f"{self._options} --quiet")
        self._numbers: dict[str, int] = {}

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict documents one after the other, among the labels seen so far."""
        predictions = []
        for document in documents:
            row = self._workspace.predict(example(document.text))
            known = {label: row[number - 1] for label, number in self._numbers.items()}
            predictions.append(prediction(document, known))
        return predictions

    def learn_many(self, documents: Sequence[Document]) -> None:
        """Learn documents one after the other."""
        for document in documents:
            assert document.label is not None  # noqa: S101 - the corpus has labels
            number = self._numbers.setdefault(document.label, len(self._numbers) + 1)
            self._workspace.learn(f"{number} {example(document.text)}")

    def size(self) -> Size:
        """Return the size of the table, and of the model file, which holds its non-zero weights."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            self._workspace.save(str(path))
            return Size(self._workspace.num_weights(), path.stat().st_size)

    def describe(self) -> dict[str, Any]:
        """Return the options of Vowpal Wabbit."""
        return {"options": self._options}


def example(text: str) -> str:
    """Format a text as an example without a label; its words contain no separator of the format."""
    features = words(text)
    return f"|w:{len(features) ** -0.5:.6f} {' '.join(features)}" if features else "|w"
