"""Drift is noticed while learning, and answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from consumer.drift.collapse import Recalls
from consumer.drift.config import Reaction
from consumer.drift.detectors import ErrorDriftDetector
from consumer.drift.inputs import InputShift
from consumer.features.extractor import Features
from consumer.labels import LabelSet
from consumer.learners.protocol import Learner
from consumer.replay.buffer import ReplayBuffer

ERROR, INPUTS = DETECTED = ("error", "inputs")
"""What is looked at: the prequential error, and without any labels the texts."""

WATCHED = 1000
"""Documents after a drift in which collapsed labels are looked for."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A change that was noticed, or what was done about one that was noticed before.

    ``documents`` of the stream had come when it was noticed, ``since`` of them before it began, as
    far as can be told; those that wait for their labels are among them. ``before`` and ``after``
    are what the detector compared: error rates, or of the inputs distances; None where it is about
    labels. ``forgotten`` ones are learned anew.
    """

    detector: str
    documents: int
    since: int
    before: float | None = None
    after: float | None = None
    forgotten: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Predicted:
    """A document that was predicted, and is about to be learned.

    ``features`` are None where it was looked at when it arrived.
    """

    features: Features | None
    label: str | None
    predicted: str | None


class Adaptation(Protocol):
    """What the loop needs to cope with drift."""

    @property
    def distance(self) -> float:
        """How far the last inputs are from those of the reference window; 1 by chance."""
        ...

    @property
    def noticed(self) -> Mapping[str, int]:
        """How many documents had come when the last drift was noticed, by detector; 0: never."""
        ...

    def look(self, arrived: Sequence[Features]) -> Sequence[Drift]:
        """Take in documents that may wait for their labels; returns what is new of the inputs."""
        ...

    def observe(
        self,
        documents: Sequence[Predicted],
        learner: Learner,
        replay: ReplayBuffer,
        labels: LabelSet,
    ) -> Sequence[Drift]:
        """Take in a micro-batch that was predicted, before it is learned; returns what is new."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that its future depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


class DriftAdaptation:
    """Notices a rise of the prequential error, and other inputs; reacts to the former.

    Parameters
    ----------
    errors
        Told of each miss and hit.
    reaction
        Reaction to a rise of the error: ``forget`` what was learned of labels whose recall
        collapsed, or ``nothing``.
    """

    def __init__(self, errors: ErrorDriftDetector, reaction: Reaction) -> None:
        self._errors = errors
        self._forgets = reaction == "forget"
        self._inputs = InputShift()
        self._recalls = Recalls()
        self.noticed: dict[str, int] = dict.fromkeys(DETECTED, 0)
        """How many documents had come when the last drift was noticed, by detector; 0: never."""
        self._arrived = 0
        self._documents = 0
        self._since = 0
        self._watched_until = 0

    @property
    def distance(self) -> float:
        """How far the last inputs are from those of the reference window; 1 by chance."""
        return self._inputs.distance

    def look(self, arrived: Sequence[Features]) -> list[Drift]:
        """Take in documents that may wait for their labels; returns what is new of the inputs."""
        drifts = []
        for features in arrived:
            self._arrived += 1
            distance = self._inputs.update(features)
            if distance is not None:
                drifts.append(Drift(INPUTS, self._arrived, self._arrived, 1.0, distance))
        self._note(drifts)
        return drifts

    def observe(
        self,
        documents: Sequence[Predicted],
        learner: Learner,
        replay: ReplayBuffer,
        labels: LabelSet,
    ) -> Sequence[Drift]:
        """Take in a micro-batch that was predicted, before it is learned; returns what is new."""
        drifts = [drift for one in documents for drift in self._look_at(one)]
        self._note(drifts)
        if any(drift.detector == ERROR for drift in drifts):
            self._watched_until = self._documents + WATCHED
        if self._forgets and self._documents <= self._watched_until:
            drifts += self._forget(learner, replay, labels)
        return drifts

    def _look_at(self, one: Predicted) -> list[Drift]:
        drifts = [] if one.features is None else self.look([one.features])
        self._documents += 1
        if one.label is not None:
            miss = one.predicted != one.label
            self._recalls.add(one.label, self._documents, hit=not miss)
            rise = self._errors.update(float(miss))
            if rise is not None:
                self._since = self._documents - rise.since
                since = self._arrived - rise.since
                drifts.append(Drift(ERROR, self._arrived, since, rise.before, rise.after))
        return drifts

    def _note(self, drifts: Sequence[Drift]) -> None:
        self.noticed |= {drift.detector: drift.documents for drift in drifts}

    def _forget(self, learner: Learner, replay: ReplayBuffer, labels: LabelSet) -> list[Drift]:
        names = self._recalls.collapsed(self._since)
        if not names:
            return []
        learner.forget([labels.add(name) for name in names])
        replay.drop(names)
        self._recalls.forget(names)
        since = self._arrived - (self._documents - self._since)
        return [Drift(ERROR, self._arrived, since, forgotten=names)]

    def state_dict(self) -> dict[str, Any]:
        """Return detectors, recalls, and until when there is a reaction."""
        return {
            "errors": self._errors.state_dict(),
            "inputs": self._inputs.state_dict(),
            "recalls": self._recalls.state_dict(),
            "noticed": dict(self.noticed),
            "arrived": self._arrived,
            "documents": self._documents,
            "since": self._since,
            "watched_until": self._watched_until,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._errors.load_state_dict(state["errors"])
        self._inputs.load_state_dict(state["inputs"])
        self._recalls.load_state_dict(state["recalls"])
        self.noticed = dict(state["noticed"])
        self._arrived = state["arrived"]
        self._documents = state["documents"]
        self._since = state["since"]
        self._watched_until = state["watched_until"]
