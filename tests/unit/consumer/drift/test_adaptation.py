"""Drift is detected and reported, and the learner and the replay buffer are adapted."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from consumer.drift.adaptation import Drift, DriftAdaptation, Observation
from consumer.drift.config import Reaction
from consumer.drift.detectors import DETECTORS, ErrorDriftDetector
from consumer.features.extractor import Example
from consumer.labels import LabelSet
from consumer.replay.buffer import ClassBalancedReservoir
from newsreel.events.document import Document

pytestmark = pytest.mark.slow

LABELS = "abcd"


class ForgettingLearner:
    """A learner that records the targets to forget."""

    def __init__(self) -> None:
        self.forgotten: list[int] = []

    def forget(self, targets: Sequence[int]) -> None:
        self.forgotten += targets


class Stream:
    """An adaptation with a learner, a replay buffer and labels."""

    def __init__(self, reaction: Reaction) -> None:
        self.adaptation = DriftAdaptation(ErrorDriftDetector(DETECTORS["adwin"]), reaction)
        self.learner: Any = ForgettingLearner()
        self.replay = ClassBalancedReservoir(100, 0)
        self.labels = LabelSet(10)
        for label in LABELS:
            self.labels.add(label)
            self.replay.add(Example(Document(str(n), "", label), {}) for n in range(10))

    def read(self, count: int, wrong: str = "", label: bool = True) -> list[Drift]:  # noqa: FBT001, FBT002
        """Observe documents of all labels in turn; labels in ``wrong`` are mispredicted."""
        drifts: list[Drift] = []
        for start in range(0, count, 8):
            batch = []
            for number in range(start, start + 8):
                truth = LABELS[number % 4]
                predicted = "?" if truth in wrong or number % 20 == 19 else truth
                features = {"tokens": torch.tensor([number % 50])}
                batch.append(Observation(features, truth if label else None, predicted))
            drifts += self.adaptation.observe_batch(batch, self.learner, self.replay, self.labels)
        return drifts


def test_no_drift() -> None:
    """A stream without a change causes neither a detection nor a reaction."""
    stream = Stream("forget")
    assert stream.read(4000) == []
    assert stream.learner.forgotten == []


def test_forget() -> None:
    """Learner and replay buffer forget exactly the labels whose recall collapsed."""
    stream = Stream("forget")
    stream.read(2000)
    first, *others = stream.read(400, wrong="bd")
    assert (first.detector, first.forgotten) == ("error", [])
    assert 2000 < first.documents < 2100
    assert first.since == pytest.approx(2000, abs=10)
    assert first.before is not None
    assert first.after is not None
    assert first.before < 0.2 < first.after
    forgotten = [label for drift in others for label in drift.forgotten]
    assert sorted(forgotten) == ["b", "d"]
    assert sorted(stream.learner.forgotten) == [1, 3]
    assert {example.document.label for example in stream.replay.sample(100)} == {"a", "c"}


def test_no_reaction() -> None:
    """The reaction "nothing" reports a drift and forgets no label."""
    stream = Stream("nothing")
    stream.read(2000)
    drifts = stream.read(400, wrong="bd")
    assert [drift.detector for drift in drifts] == ["error"]
    assert stream.learner.forgotten == []
    assert len(stream.replay) == 40


def test_unlabelled() -> None:
    """Documents without a label do not count as errors."""
    stream = Stream("forget")
    stream.read(2000)
    assert stream.read(2000, wrong=LABELS, label=False) == []


@pytest.mark.parametrize("split", [800, 2008, 2032, 2056, 2104, 2800])
def test_restored_state_gives_the_same_drifts(split: int) -> None:
    """A restored adaptation detects the same drifts as one without a restart."""
    whole, first, second = Stream("forget"), Stream("forget"), Stream("forget")

    def run(stream: Stream, start: int, end: int) -> list[Drift]:
        drifts = stream.read(max(0, min(end, 2000) - start))
        return drifts + stream.read(end - max(2000, start), wrong="bd")

    expected = run(whole, 0, 3400)
    before = run(first, 0, split)
    second.adaptation.load_state_dict(first.adaptation.state_dict())
    assert before + run(second, split, 3400) == expected != []


def test_state_of_an_earlier_version() -> None:
    """A state with an obsolete key is restored."""
    old, new = Stream("forget"), Stream("forget")
    old.read(800)
    new.adaptation.load_state_dict(old.adaptation.state_dict() | {"boosted_until": 0})
    assert new.adaptation.state_dict()["documents"] == 800
