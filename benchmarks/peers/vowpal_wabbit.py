"""Vowpal Wabbit: one logistic regression for each label, in a table of hashed weights."""

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
"""All labels share the table: this is for each of twenty what 20 bits are for one."""

LEARNING_RATE = 1.0


class OneAgainstAll:
    """Words without stop words, each text weighted to length 1.

    How many labels there are must be declared before the first document; which, is discovered.
    ``--ngram 2`` was tried and lost accuracy.
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
        """Predict one after the other, among the labels seen so far."""
        predictions = []
        for document in documents:
            row = self._workspace.predict(example(document.text))
            known = {label: row[number - 1] for label, number in self._numbers.items()}
            predictions.append(prediction(document, known))
        return predictions

    def learn_many(self, documents: Sequence[Document]) -> None:
        """Learn one after the other."""
        for document in documents:
            assert document.label is not None  # noqa: S101 - the corpus has labels
            number = self._numbers.setdefault(document.label, len(self._numbers) + 1)
            self._workspace.learn(f"{number} {example(document.text)}")

    def size(self) -> Size:
        """Return the size of the table, and of the file that keeps what in it isn't zero."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            self._workspace.save(str(path))
            return Size(self._workspace.num_weights(), path.stat().st_size)

    def describe(self) -> dict[str, Any]:
        """Return the command line."""
        return {"options": self._options}


def example(text: str) -> str:
    """Write a text as an example without a label; words have none of the format's separators."""
    found = words(text)
    return f"|w:{len(found) ** -0.5:.6f} {' '.join(found)}" if found else "|w"
