"""Ask a model while it is trained: answers use whole weights, and change nothing."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from helpers import Build, Saved, documents

from consumer.features.extractor import Features, extract
from consumer.labels import LabelSet
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch
from consumer.learners.shared import BusyError, FairLock, SharedModel

NO_REPLAY = TrainingBatch([], [])


def test_lock_is_fair() -> None:
    """Threads get the lock in the order of their requests, even if the holder requests it again."""
    lock, order = FairLock(), []
    begun = [threading.Event() for _ in range(5)]

    def wait(number: int) -> None:
        begun[number].set()
        with lock.acquired():
            order.append(number)

    with lock.acquired():
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=wait, args=[number]))
            threads[-1].start()
            begun[number].wait()
            time.sleep(0.02)
    with lock.acquired():
        order.append(5)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4, 5]


def test_timeout() -> None:
    """A thread that times out leaves the queue, and blocks no other thread."""
    lock = FairLock()
    with lock.acquired(), pytest.raises(BusyError), lock.acquired(0.01):
        pass
    with lock.acquired(0.01):
        pass


def test_error_releases_the_lock() -> None:
    """An error while the lock is held releases the lock."""
    lock = FairLock()
    with pytest.raises(ValueError, match="oops"), lock.acquired():
        raise ValueError("oops")
    with lock.acquired(0.01):
        pass


class TwoWeights:
    """A learner with two weights, which a step changes one after the other."""

    def __init__(self) -> None:
        self.left = self.right = 0

    def predict_many(self, features: Any) -> Predictions:
        left = self.left
        time.sleep(0.001)
        return Predictions(np.array([[left, self.right]] * len(features), dtype=np.float32))

    def propose(
        self, new: TrainingBatch, replayed: TrainingBatch, predictions: Predictions
    ) -> StagedUpdate:
        def apply() -> None:
            self.left += 1
            time.sleep(0.002)
            self.right += 1

        return StagedUpdate(0.0, apply)


class NoFeatures:
    """Extract nothing."""

    def tokenize_many(self, documents: Any) -> list[Features]:
        return [{} for _ in documents]

    def extract_many(self, read: Any) -> list[Features]:
        return list(read)


def test_weights_are_never_half_updated() -> None:
    """Answers during training use the weights before or after a step, as they report."""
    labels = LabelSet(limit=2)
    labels.add("left")
    labels.add("right")
    model = SharedModel(NoFeatures(), TwoWeights(), labels, separate_weights=True)  # type: ignore[arg-type]
    over = threading.Event()

    def teach() -> None:
        while not over.is_set():
            model.learner.propose(NO_REPLAY, NO_REPLAY, Predictions(np.zeros((0, 0)))).apply()

    thread = threading.Thread(target=teach)
    thread.start()
    answers = [model.ask(documents(2), 10) for _ in range(50)]
    over.set()
    thread.join()
    for predictions, steps in answers:
        assert [dict(prediction.top) for prediction in predictions] == [
            {"left": steps, "right": steps}
        ] * 2
    assert len({steps for _, steps in answers}) > 10


@pytest.mark.parametrize("learner", ["blend", "latent", "analytic", "bayes", "ngram", "finetune"])
@pytest.mark.parametrize("averaging", [0.9, 0.0])
def test_requests_change_nothing(
    build: Build, saved: Saved, learner: str, averaging: float
) -> None:
    """A model that is asked all the time learns the same, bit for bit, as one that is not."""
    alone, asked = (build(learner, averaging=averaging) for _ in range(2))
    separate = averaging > 0
    labels = LabelSet(limit=2)
    for one in documents(2):
        labels.add(one.label or "")
    model = SharedModel(asked.extractor, asked.learner, labels, separate_weights=separate)
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            model.ask(documents(3, start=500), 10)

    thread = threading.Thread(target=ask)
    thread.start()
    for number in range(3):
        some = documents(8, start=8 * number)
        targets = [n % 2 for n in range(8)]
        for extractor, taught in (
            (alone.extractor, alone.learner),
            (model.extractor, model.learner),
        ):
            features = extract(extractor, some)
            update = taught.propose(
                TrainingBatch(features, targets), NO_REPLAY, taught.predict_many(features)
            )
            update.apply()
            for row in features:
                taught.replay_features(row)
    over.set()
    thread.join()
    assert saved(model.learner) == saved(alone.learner)
    predictions, steps = model.ask(documents(4, start=900), 10)
    assert steps == 3
    assert {prediction.predicted.label for prediction in predictions} <= {"sport", "space"}
