"""Drift in the loop: noticed, told, and answered."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from consumer.drift.adaptation import (
    Drift,
    DriftAdaptation,
    Predicted,
)
from consumer.drift.config import Reaction
from consumer.drift.detectors import DETECTORS, ErrorDriftDetector
from consumer.features.extractor import Example
from consumer.labels import LabelSet
from consumer.replay.buffer import ClassBalancedReservoir
from newsreel.events.document import Document

LABELS = "abcd"


class Listener:
    """A learner that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def forget(self, targets: Sequence[int]) -> None:
        self.told.append(("forget", list(targets)))


class Stream:
    """An adaptation with all that it works on."""

    def __init__(self, reaction: Reaction) -> None:
        self.adaptation = DriftAdaptation(ErrorDriftDetector(DETECTORS["adwin"]), reaction)
        self.learner: Any = Listener()
        self.replay = ClassBalancedReservoir(100, 0)
        self.labels = LabelSet(10)
        for label in LABELS:
            self.labels.add(label)
            self.replay.add(Example(Document(str(n), "", label), {}) for n in range(10))

    def read(self, count: int, wrong: str = "", label: bool = True) -> list[Drift]:  # noqa: FBT001, FBT002
        """Predict documents of all labels in turn, some of which are always taken for another."""
        drifts: list[Drift] = []
        for start in range(0, count, 8):
            batch = []
            for number in range(start, start + 8):
                truth = LABELS[number % 4]
                said = "?" if truth in wrong or number % 20 == 19 else truth
                features = {"tokens": torch.tensor([number % 50])}
                batch.append(Predicted(features, truth if label else None, said))
            drifts += self.adaptation.observe(batch, self.learner, self.replay, self.labels)
        return drifts


def test_quiet() -> None:
    """Where nothing changes nothing is told or done."""
    stream = Stream("forget")
    assert stream.read(4000) == []
    assert stream.learner.told == []


def test_forget() -> None:
    """Labels that are not recognized any more are forgotten, by learner and buffer; no others."""
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
    targets = [number for told in stream.learner.told if told[0] == "forget" for number in told[1]]
    assert sorted(targets) == [1, 3]
    kept = {one.document.label for one in stream.replay.sample(100)}
    assert kept == {"a", "c"}


def test_nothing() -> None:
    """Where nothing is to be done, a drift is told all the same."""
    stream = Stream("nothing")
    stream.read(2000)
    drifts = stream.read(400, wrong="bd")
    assert [drift.detector for drift in drifts] == ["error"]
    assert stream.learner.told == []
    assert len(stream.replay) == 40


def test_unlabelled() -> None:
    """Documents without a label are no misses."""
    stream = Stream("forget")
    stream.read(2000)
    assert stream.read(2000, wrong=LABELS, label=False) == []


@pytest.mark.parametrize("split", [800, 2008, 2032, 2056, 2104, 2800])
def test_goes_on_as_if_never_saved(split: int) -> None:
    """An adaptation that was saved and restored does what one does that was not."""
    whole, first, second = Stream("forget"), Stream("forget"), Stream("forget")

    def go_on(stream: Stream, start: int, end: int) -> list[Drift]:
        drifts = stream.read(max(0, min(end, 2000) - start))
        return drifts + stream.read(end - max(2000, start), wrong="bd")

    expected = go_on(whole, 0, 3400)
    before = go_on(first, 0, split)
    second.adaptation.load_state_dict(first.adaptation.state_dict())
    assert before + go_on(second, split, 3400) == expected != []


def test_state_of_an_earlier_version() -> None:
    """A state with a key that is not needed any more can be restored."""
    old, new = Stream("forget"), Stream("forget")
    old.read(800)
    new.adaptation.load_state_dict(old.adaptation.state_dict() | {"boosted_until": 0})
    assert new.adaptation.state_dict()["documents"] == 800
