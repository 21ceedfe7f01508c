"""A text classifier: features of documents, a learner of these features, names for its labels."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consumer.evaluation.evaluator import Prediction
from consumer.features.extractor import Extractor
from consumer.labels import LabelSet
from consumer.learners.prediction import PredictedBatch, predict, with_names
from consumer.learners.protocol import Learner
from newsreel.events.document import Document


@dataclass(frozen=True, slots=True)
class TextClassifier:
    """Predicts the labels of documents.

    Parameters
    ----------
    extractor
        Features that the learner reads.
    learner
        Classifier of features; it knows labels by number.
    labels
        Names of these numbers.
    """

    extractor: Extractor
    learner: Learner
    labels: LabelSet

    def predict(
        self, documents: Sequence[Document], clock: Callable[[], float] = time.perf_counter
    ) -> PredictedBatch:
        """Predict documents with the learner's present knowledge."""
        return predict(self.extractor, self.learner, documents, clock)

    def with_names(self, batch: PredictedBatch) -> list[Prediction]:
        """Return the predictions of a batch with the names of their labels."""
        return with_names(batch, self.labels)
