"""What one turn of the loop yields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumer.drift.adaptation import Drift
from consumer.evaluation.evaluator import Prediction, Prequential
from consumer.evaluation.scores import Scores
from consumer.kafka.batch import DeadLetter, Origin
from consumer.learners.protocol import Gradient
from consumer.loop.labelling import JoinedLabel, LabelOutcome
from consumer.replay.buffer import BufferStats


@dataclass(frozen=True, slots=True)
class Learned:
    """One learning step: its new documents, the replayed ones, and their mean loss in nats.

    ``gradients`` are those of the experts that have one.
    """

    documents: int
    replayed: int
    loss: float
    gradients: Mapping[str, Gradient]


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the loop: all that metrics, progress and checkpoints need to know of it.

    ``positions``, ``lag`` and ``reached`` are by partition: the next offset to read, how many
    records wait behind it, and when the last one before was written. ``label_lag`` records wait in
    the topic of labels that come later. ``origins`` are where the document of each prediction comes
    from, ``written`` when its record was, in seconds since 1970. ``tokens`` were read by an
    encoder. ``scored`` are predictions whose labels are known now, ``joined`` those whose labels
    came later, ``fates`` count such labels and what waited in vain, ``waiting`` are left, and
    ``repredicted`` scores what was predicted just before it was learned. ``drifts`` were noticed in
    the micro-batch that was learned, ``distance`` is that of the inputs from those after the last
    change, and ``noticed`` says how many documents had come at the last drift, by detector.
    ``shares`` say how much each expert of a blend weighs. ``seconds`` are by stage. A step without
    documents has neither: it says that time has passed.
    """

    positions: Mapping[int, int]
    lag: Mapping[int, int]
    label_lag: int
    reached: Mapping[int, float]
    predictions: Sequence[Prediction]
    origins: Sequence[Origin]
    written: Sequence[float | None]
    tokens: int
    dead_letters: Sequence[DeadLetter]
    learned: Learned | None
    scored: Sequence[Prediction]
    joined: Sequence[JoinedLabel]
    fates: Mapping[LabelOutcome, int]
    waiting: int
    repredicted: Scores | None
    drifts: Sequence[Drift]
    distance: float
    noticed: Mapping[str, int]
    remembered: BufferStats
    labels: Sequence[str]
    scores: Prequential
    shares: Mapping[str, float]
    seconds: Mapping[str, float]
