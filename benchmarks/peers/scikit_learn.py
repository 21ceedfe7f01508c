"""scikit-learn: SGD over a stream, and a linear SVM fitted offline."""

from collections.abc import Sequence
from typing import Any

from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from benchmarks.model import Size, label_only, prediction
from benchmarks.peers.words import STOP_WORDS
from consumer.evaluation.evaluator import Prediction
from newsreel.events.document import Document

FEATURES = 1 << 20

NGRAMS = (1, 2)

ALPHA = 1e-5


class HashingSGD:
    """Logistic regression by SGD on hashed words and pairs of words.

    All labels must be declared before the first document, which a stream cannot do. Each call
    visits all twenty million weights: one document at a time would take hours, so documents are
    learned in micro-batches.
    """

    batch_size = 16

    def __init__(self, labels: Sequence[str], seed: int) -> None:
        threadpool_limits(1)  # such small steps are slower with more threads
        self._labels = sorted(labels)
        self._vectorizer = HashingVectorizer(
            n_features=FEATURES, ngram_range=NGRAMS, stop_words=list(STOP_WORDS), binary=True
        )
        self._classifier = SGDClassifier(loss="log_loss", alpha=ALPHA, random_state=seed)
        self._learned = False

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict documents in one call."""
        if not self._learned:
            return [prediction(document, {}) for document in documents]
        rows = self._classifier.predict_proba(self._features(documents)).tolist()
        return [
            prediction(document, dict(zip(self._labels, row, strict=True)))
            for document, row in zip(documents, rows, strict=True)
        ]

    def learn_many(self, documents: Sequence[Document]) -> None:
        """Learn documents in one call, with a gradient step for each."""
        targets = [document.label for document in documents]
        self._classifier.partial_fit(self._features(documents), targets, classes=self._labels)
        self._learned = True

    def size(self) -> Size:
        """Return the size of coefficients and intercepts."""
        return _size(self._classifier)

    def describe(self) -> dict[str, Any]:
        """Return the settings of the pipeline."""
        return {
            "pipeline": "HashingVectorizer(binary) | SGDClassifier(log_loss)",
            "features": FEATURES,
            "ngrams": list(NGRAMS),
            "alpha": ALPHA,
        }

    def _features(self, documents: Sequence[Document]) -> Any:
        return self._vectorizer.transform([document.text for document in documents])


class OfflineSVC:
    """A linear SVM without probabilities on TF-IDF of words and pairs of words, fitted offline."""

    def __init__(self, _labels: Sequence[str], seed: int) -> None:
        self._vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=NGRAMS)
        self._classifier = LinearSVC(random_state=seed)

    def fit(self, documents: Sequence[Document]) -> None:
        """Fit vocabulary, document frequencies and the SVM."""
        features = self._vectorizer.fit_transform([document.text for document in documents])
        self._classifier.fit(features, [document.label for document in documents])

    def predict_many(self, documents: Sequence[Document]) -> list[Prediction]:
        """Predict labels without probabilities."""
        features = self._vectorizer.transform([document.text for document in documents])
        return [
            label_only(document, str(label))
            for document, label in zip(documents, self._classifier.predict(features), strict=True)
        ]

    def size(self) -> Size:
        """Return the size of coefficients and intercepts."""
        return _size(self._classifier)

    def describe(self) -> dict[str, Any]:
        """Return the settings of the pipeline."""
        return {"pipeline": "TfidfVectorizer(sublinear) | LinearSVC", "ngrams": list(NGRAMS)}


def _size(classifier: Any) -> Size:
    arrays = (classifier.coef_, classifier.intercept_)
    return Size(sum(array.size for array in arrays), sum(array.nbytes for array in arrays))
