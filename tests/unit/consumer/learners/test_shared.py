"""A model that is taught while it is asked: answers are of whole weights, and change nothing."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from helpers import documents

from consumer.features.extractor import Features, extract
from consumer.labels import LabelSet
from consumer.learners.protocol import Predictions, StagedUpdate, TrainingBatch
from consumer.learners.shared import BusyError, FairLock, SharedModel

NOTHING = TrainingBatch([], [])


def test_turns_are_given_in_order() -> None:
    """Whoever asks first is first, even where the holder asks again at once."""
    turns, order = FairLock(), []
    begun = [threading.Event() for _ in range(5)]

    def wait(number: int) -> None:
        begun[number].set()
        with turns.acquired():
            order.append(number)

    with turns.acquired():
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=wait, args=[number]))
            threads[-1].start()
            begun[number].wait()
            time.sleep(0.02)
    with turns.acquired():
        order.append(5)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4, 5]


def test_a_turn_that_does_not_come() -> None:
    """Who has waited long enough gives up, and holds nobody up."""
    turns = FairLock()
    with turns.acquired(), pytest.raises(BusyError), turns.acquired(0.01):
        pass
    with turns.acquired(0.01):
        pass


def test_a_failure_ends_a_turn() -> None:
    """An error in a turn does not keep the others waiting."""
    turns = FairLock()
    with pytest.raises(ValueError, match="oops"), turns.acquired():
        raise ValueError("oops")
    with turns.acquired(0.01):
        pass


class Halves:
    """A learner whose weights are two numbers, which a step changes one after the other."""

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


class Blind:
    """Extracts nothing."""

    def tokenize_many(self, documents: Any) -> list[Features]:
        return [{} for _ in documents]

    def extract_many(self, read: Any) -> list[Features]:
        return list(read)


def test_weights_are_never_half_updated() -> None:
    """Answers while steps are taken are of weights before or after one, as they say."""
    labels = LabelSet(limit=2)
    labels.add("left")
    labels.add("right")
    model = SharedModel(Blind(), Halves(), labels, separate_weights=True)  # type: ignore[arg-type]
    over = threading.Event()

    def teach() -> None:
        while not over.is_set():
            model.learner.propose(NOTHING, NOTHING, Predictions(np.zeros((0, 0)))).apply()

    thread = threading.Thread(target=teach)
    thread.start()
    answers = [model.ask(documents(2), 10) for _ in range(50)]
    over.set()
    thread.join()
    for predictions, steps in answers:
        assert [dict(said.top) for said in predictions] == [{"left": steps, "right": steps}] * 2
    assert len({steps for _, steps in answers}) > 10


@pytest.mark.parametrize("learner", ["blend", "latent", "analytic", "bayes", "ngram", "finetune"])
@pytest.mark.parametrize("averaging", [0.9, 0.0])
def test_to_ask_changes_nothing(build: Any, saved: Any, learner: str, averaging: float) -> None:
    """A model that is asked all the time learns what one learns that is not, to the last bit."""
    alone, asked = (build(learner, averaging=averaging) for _ in range(2))
    apart = averaging > 0
    labels = LabelSet(limit=2)
    for one in documents(2):
        labels.add(one.label or "")
    model = SharedModel(asked.extractor, asked.learner, labels, separate_weights=apart)
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
            proposal = taught.propose(
                TrainingBatch(features, targets), NOTHING, taught.predict_many(features)
            )
            proposal.apply()
            for row in features:
                taught.replay_features(row)
    over.set()
    thread.join()
    assert saved(model.learner) == saved(alone.learner)
    predictions, steps = model.ask(documents(4, start=900), 10)
    assert steps == 3
    assert {said.predicted.label for said in predictions} <= {"sport", "space"}
