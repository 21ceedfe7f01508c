"""River: pipelines of River's own parts, one document at a time."""

from collections.abc import Callable, Sequence
from typing import Any

from river import compose, drift, feature_extraction, linear_model, naive_bayes, optim

from benchmarks.model import Size, prediction
from benchmarks.peers.words import STOP_WORDS
from consumer.evaluation.evaluator import Prediction
from newsreel.events.document import Document

LEARNING_RATE = 5.0

SMOOTHING = 0.01


class Pipeline:
    """A River pipeline over texts.

    Parameters
    ----------
    pipeline
        River pipeline that ends with a classifier.
    parameters
        Function that counts the learned parameters.
    settings
        Settings for the report.
    """

    batch_size = 1

    def __init__(
        self, pipeline: compose.Pipeline, parameters: Callable[[], int], settings: dict[str, Any]
    ) -> None:
        self._pipeline = pipeline
        self._parameters = parameters
        self._settings = settings

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict documents one after the other."""
        predict = self._pipeline.predict_proba_one
        return [prediction(document, predict(document.text)) for document in documents]

    def learn_many(self, documents: Sequence[Document]) -> None:
        """Learn documents one after the other."""
        for document in documents:
            self._pipeline.learn_one(document.text, document.label)

    def size(self) -> Size:
        """Return the number of parameters; River has no file format for checkpoints."""
        return Size(self._parameters(), None)

    def describe(self) -> dict[str, Any]:
        """Return the settings of the pipeline."""
        return self._settings


def softmax(_labels: Sequence[str], _seed: int) -> Pipeline:
    """Build softmax regression by SGD on TF-IDF of words without stop words."""
    words = feature_extraction.TFIDF(stop_words=set(STOP_WORDS))
    classifier = linear_model.SoftmaxRegression(optimizer=optim.SGD(LEARNING_RATE))
    return Pipeline(
        words | classifier,
        lambda: sum(map(len, classifier.weights.values())),
        {"pipeline": "TFIDF | SoftmaxRegression(SGD)", "learning_rate": LEARNING_RATE},
    )


def multinomial(_labels: Sequence[str], _seed: int) -> Pipeline:
    """Build multinomial naive Bayes on counts of words."""
    classifier = naive_bayes.MultinomialNB(alpha=SMOOTHING)
    return Pipeline(
        feature_extraction.BagOfWords() | classifier,
        lambda: sum(map(len, classifier.feature_counts.values())),
        {"pipeline": "BagOfWords | MultinomialNB", "alpha": SMOOTHING},
    )


def retraining(_labels: Sequence[str], _seed: int) -> Pipeline:
    """Build multinomial naive Bayes on counts of words, reset when ADWIN detects drift."""
    classifier = drift.DriftRetrainingClassifier(
        naive_bayes.MultinomialNB(alpha=SMOOTHING),
        drift_detector=drift.ADWIN(),
        train_in_background=False,
    )
    return Pipeline(
        feature_extraction.BagOfWords() | classifier,
        lambda: sum(map(len, classifier.model.feature_counts.values())),
        {"pipeline": "BagOfWords | DriftRetraining(MultinomialNB, ADWIN)", "alpha": SMOOTHING},
    )
