"""scikit-learn: SGD over a stream, and a linear SVM that sees everything at once."""

from collections.abc import Sequence
from typing import Any

from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from benchmarks.model import Size, prediction, verdict
from benchmarks.peers.words import STOP_WORDS
from consumer.evaluation.evaluator import Prediction
from newsreel.events.document import Document

FEATURES = 1 << 20

NGRAMS = (1, 2)

ALPHA = 1e-5


class HashingSGD:
    """Hashed words and pairs into logistic regression by SGD.

    All labels must be declared before the first document, which a stream can't do. Each call goes
    over all weights, twenty million of them, so that one document at a time would take
    hours; it gets micro-batches.
    """

    batch_size = 16

    def __init__(self, labels: Sequence[str], seed: int) -> None:
        threadpool_limits(1)  # steps this small only lose by being shared out
        self._labels = sorted(labels)
        self._vectorizer = HashingVectorizer(
            n_features=FEATURES, ngram_range=NGRAMS, stop_words=list(STOP_WORDS), binary=True
        )
        self._classifier = SGDClassifier(loss="log_loss", alpha=ALPHA, random_state=seed)
        self._learned = False

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict in one call."""
        if not self._learned:
            return [prediction(document, {}) for document in documents]
        rows = self._classifier.predict_proba(self._features(documents)).tolist()
        return [
            prediction(document, dict(zip(self._labels, row, strict=True)))
            for document, row in zip(documents, rows, strict=True)
        ]

    def learn_many(self, documents: Sequence[Document]) -> None:
        """Learn in one call, a step for each document."""
        targets = [document.label for document in documents]
        self._classifier.partial_fit(self._features(documents), targets, classes=self._labels)
        self._learned = True

    def size(self) -> Size:
        """Return the size of coefficients and intercepts."""
        return _size(self._classifier)

    def describe(self) -> dict[str, Any]:
        """Return how it is set."""
        return {
            "pipeline": "HashingVectorizer(binary) | SGDClassifier(log_loss)",
            "features": FEATURES,
            "ngrams": list(NGRAMS),
            "alpha": ALPHA,
        }

    def _features(self, documents: Sequence[Document]) -> Any:
        return self._vectorizer.transform([document.text for document in documents])


class OfflineSVC:
    """TF-IDF of words and pairs into a linear SVM, fitted to everything, without probabilities."""

    def __init__(self, _labels: Sequence[str], seed: int) -> None:
        self._vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=NGRAMS)
        self._classifier = LinearSVC(random_state=seed)

    def fit(self, documents: Sequence[Document]) -> None:
        """Fit vocabulary, document frequencies and the SVM."""
        features = self._vectorizer.fit_transform([document.text for document in documents])
        self._classifier.fit(features, [document.label for document in documents])

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict labels only."""
        features = self._vectorizer.transform([document.text for document in documents])
        return [
            verdict(document, str(label))
            for document, label in zip(documents, self._classifier.predict(features), strict=True)
        ]

    def size(self) -> Size:
        """Return the size of coefficients and intercepts."""
        return _size(self._classifier)

    def describe(self) -> dict[str, Any]:
        """Return how it is set."""
        return {"pipeline": "TfidfVectorizer(sublinear) | LinearSVC", "ngrams": list(NGRAMS)}


def _size(classifier: Any) -> Size:
    arrays = (classifier.coef_, classifier.intercept_)
    return Size(sum(array.size for array in arrays), sum(array.nbytes for array in arrays))
