"""Texts that can't be predicted are named."""

from collections.abc import Sequence

import pytest

from consumer.evaluation.evaluator import LabelProbability, Prediction
from consumer.monitoring.progress import Progress
from consumer.web.serving import Serving, UnpredictableError
from newsreel.events.document import Document


class Model:
    """A model that predicts nothing of some texts."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def ask(self, documents: Sequence[Document], timeout: float) -> tuple[list[Prediction], int]:
        labels = [None if document.text == "bad" else "sport" for document in documents]
        return [
            Prediction(document, LabelProbability(label, 0.0, 0.0))
            for document, label in zip(documents, labels, strict=True)
        ], self._steps


def serving(steps: int) -> Serving:
    made = Serving(Progress())
    made.begin(Model(steps))  # type: ignore[arg-type]
    return made


def test_text_without_finite_numbers() -> None:
    """The error names the text; other texts are predicted."""
    with pytest.raises(UnpredictableError, match="can't predict text 2, 3 of 3"):
        serving(steps=1).predict(["good", "bad", "bad"])
    (answer,) = serving(steps=1).predict(["good"]).predictions
    assert answer.predicted.label == "sport"


def test_before_the_first_step() -> None:
    """A model that has learned nothing predicts no label, and that is no error."""
    (answer,) = serving(steps=0).predict(["bad"]).predictions
    assert answer.predicted.label is None
