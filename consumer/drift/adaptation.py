"""Detection of drift during learning, and the reaction to drift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from consumer.drift.collapse import RecallHistory
from consumer.drift.config import Reaction
from consumer.drift.detectors import ErrorDriftDetector
from consumer.drift.inputs import InputShift
from consumer.features.extractor import Features
from consumer.labels import LabelSet
from consumer.learners.protocol import Learner
from consumer.replay.buffer import ReplayBuffer

ERROR, INPUTS = SIGNALS = ("error", "inputs")
"""Monitored signals: the prequential error, and the features of the texts (without labels)."""

COLLAPSE_WINDOW = 1000
"""Number of documents after a drift in which labels are checked for a collapse of recall."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A detected change, or the reaction to a change that was detected before.

    Counts of documents include documents that wait for their labels.

    Attributes
    ----------
    detector
        Monitored signal: ``error`` or ``inputs``.
    documents
        Number of documents read from the stream at the detection.
    since
        Estimated number of documents read before the change began.
    before, after
        Values before and after the change: error rates of ``error``, distances of ``inputs``. None
        for a reaction.
    forgotten
        Labels that the learner and the replay buffer forgot; empty for a detected change.
    """

    detector: str
    documents: int
    since: int
    before: float | None = None
    after: float | None = None
    forgotten: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Observation:
    """A predicted document, before the learner trains on the document.

    ``features`` are None if `Adaptation.observe_inputs` received them before.
    """

    features: Features | None
    label: str | None
    predicted: str | None


class Adaptation(Protocol):
    """Detector of drift that adapts the learner and the replay buffer."""

    @property
    def distance(self) -> float:
        """Distance of the recent inputs from the reference window; 1 if nothing changed."""
        ...

    @property
    def last_detected(self) -> Mapping[str, int]:
        """Number of documents read at the last detection, by signal; 0 without a detection."""
        ...

    def observe_inputs(self, features: Sequence[Features]) -> Sequence[Drift]:
        """Check the features of new documents for drift; return the changes of the inputs."""
        ...

    def observe_batch(
        self,
        observations: Sequence[Observation],
        learner: Learner,
        replay: ReplayBuffer,
        labels: LabelSet,
    ) -> Sequence[Drift]:
        """Check a predicted micro-batch for drift, before the learner trains on the batch.

        Returns
        -------
        Sequence[Drift]
            Detected changes, followed by reactions.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the complete state, for a checkpoint."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        ...


class DriftAdaptation:
    """Detects a rise of the prequential error and a shift of the inputs; reacts to the rise.

    Parameters
    ----------
    errors
        Detector of a rise of the error; its values are 1 for a wrong prediction, 0 for a right one.
    reaction
        Reaction to a rise of the error: ``forget`` the labels whose recall collapsed, or
        ``nothing``.
    """

    def __init__(self, errors: ErrorDriftDetector, reaction: Reaction) -> None:
        self._errors = errors
        self._forgets = reaction == "forget"
        self._inputs = InputShift()
        self._recalls = RecallHistory()
        self.last_detected: dict[str, int] = dict.fromkeys(SIGNALS, 0)
        """Number of documents read at the last detection, by signal; 0 without a detection."""
        self._read = 0
        self._documents = 0
        self._since = 0
        self._collapse_until = 0

    @property
    def distance(self) -> float:
        """Distance of the recent inputs from the reference window; 1 if nothing changed."""
        return self._inputs.distance

    def observe_inputs(self, features: Sequence[Features]) -> list[Drift]:
        """Check the features of new documents for drift; return the changes of the inputs."""
        drifts = []
        for row in features:
            self._read += 1
            distance = self._inputs.update(row)
            if distance is not None:
                drifts.append(Drift(INPUTS, self._read, self._read, 1.0, distance))
        self._record(drifts)
        return drifts

    def observe_batch(
        self,
        observations: Sequence[Observation],
        learner: Learner,
        replay: ReplayBuffer,
        labels: LabelSet,
    ) -> Sequence[Drift]:
        """Check a predicted micro-batch for drift, before the learner trains on the batch."""
        drifts = [drift for observation in observations for drift in self._observe(observation)]
        self._record(drifts)
        if any(drift.detector == ERROR for drift in drifts):
            self._collapse_until = self._documents + COLLAPSE_WINDOW
        if self._forgets and self._documents <= self._collapse_until:
            drifts += self._forget(learner, replay, labels)
        return drifts

    def _observe(self, observation: Observation) -> list[Drift]:
        features, label, predicted = observation.features, observation.label, observation.predicted
        drifts = [] if features is None else self.observe_inputs([features])
        self._documents += 1
        if label is not None:
            self._recalls.add(label, self._documents, hit=predicted == label)
            change = self._errors.update(float(predicted != label))
            if change is not None:
                self._since = self._documents - change.length
                since = self._read - change.length
                drifts.append(Drift(ERROR, self._read, since, change.before, change.after))
        return drifts

    def _record(self, drifts: Sequence[Drift]) -> None:
        self.last_detected |= {drift.detector: drift.documents for drift in drifts}

    def _forget(self, learner: Learner, replay: ReplayBuffer, labels: LabelSet) -> list[Drift]:
        names = self._recalls.collapsed(self._since)
        if not names:
            return []
        learner.forget([labels.add(name) for name in names])
        replay.drop(names)
        self._recalls.forget(names)
        since = self._read - (self._documents - self._since)
        return [Drift(ERROR, self._read, since, forgotten=names)]

    def state_dict(self) -> dict[str, Any]:
        """Return the detectors, the recall history, and the end of the reaction in documents."""
        return {
            "errors": self._errors.state_dict(),
            "inputs": self._inputs.state_dict(),
            "recalls": self._recalls.state_dict(),
            "noticed": dict(self.last_detected),
            "arrived": self._read,
            "documents": self._documents,
            "since": self._since,
            "watched_until": self._collapse_until,
            "boosted_until": 0,  # version 0.1, which reads this format, requires the key
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self._errors.load_state_dict(state["errors"])
        self._inputs.load_state_dict(state["inputs"])
        self._recalls.load_state_dict(state["recalls"])
        self.last_detected = dict(state["noticed"])
        self._read = state["arrived"]
        self._documents = state["documents"]
        self._since = state["since"]
        self._collapse_until = state["watched_until"]
