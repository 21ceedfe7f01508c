"""Define the result of one iteration of the loop: predictions, scores, learning and drift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import Prediction, Prequential
from consumer.evaluation.scores import Scores
from consumer.kafka.batch import Batch, DeadLetter
from consumer.learners.protocol import Gradient
from consumer.loop.labelling import LabelledBatch
from consumer.replay.buffer import BufferStats


@dataclass(frozen=True, slots=True)
class Learned:
    """One learning step."""

    documents: int
    """New documents of the step."""
    replayed: int
    """Documents drawn from the replay buffer."""
    loss: float
    """Mean loss of the new documents in nats."""
    gradients: Mapping[str, Gradient]
    """Gradient by expert, of the experts that have one."""


@dataclass(frozen=True, slots=True)
class DriftStatus:
    """Detected drifts, and the distance of the inputs, after an iteration."""

    detected: Sequence[Drift]
    """Drifts detected, and reactions to drift, in this iteration."""
    input_distance: float
    """Distance of the last inputs from the reference window; 1 is the mean by chance."""
    last_detected: Mapping[str, int]
    """Documents that had arrived at the last drift, by detector; 0 for never."""


@dataclass(frozen=True, slots=True)
class Step:
    """Result of one iteration of the loop; metrics, progress and checkpoints are made from it.

    After a read without documents, `tokens` is 0, and `expert_shares` and `seconds` are empty.
    """

    batch: Batch
    """Documents, labels and positions that were read."""
    predictions: Sequence[Prediction]
    """Predictions of the batch's documents, made before they are learned."""
    labelled: LabelledBatch
    """Predictions whose labels are known now, and the outcomes of late labels."""
    dead_letters: Sequence[DeadLetter]
    """Unusable records of the batch, then the documents of a rejected learning step."""
    learned: Learned | None
    """Learning step, if the batch filled a micro-batch that could be learned."""
    gathered: int
    """Documents gathered for the next learning step."""
    batch_size: int
    """Documents at which that step is due."""
    drift: DriftStatus
    """Drift of the prequential error and of the inputs."""
    repredicted: Scores | None
    """Scores of predictions made just before learning; None where no document waits for a label."""
    replay_buffer: BufferStats
    """Contents of the replay buffer, counted."""
    labels: Sequence[str]
    """Labels discovered so far, in order of appearance."""
    scores: Prequential
    """Prequential scores so far."""
    expert_shares: Mapping[str, float]
    """Share of each expert in the blend; the shares add up to 1."""
    tokens: int
    """Tokens that the encoder read in this iteration."""
    seconds: Mapping[str, float]
    """Seconds of each stage: fetch, tokenize, predict, learn."""

    @property
    def changed(self) -> bool:
        """Whether the step read or learned something that a commit should keep."""
        batch = self.batch
        read = self.predictions or self.dead_letters or batch.ignored or batch.labels
        return bool(read or self.learned)
