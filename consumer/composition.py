"""From settings to parts: what the consumer, its benchmarks and examples are made of."""

from consumer.drift.adaptation import DriftAdaptation
from consumer.drift.detectors import DETECTORS, ErrorDriftDetector
from consumer.features.config import HardwareConfig
from consumer.labels import LabelSet
from consumer.learners import factory
from consumer.learners.classifier import TextClassifier
from consumer.learners.config import ModelConfig, TrainingConfig
from consumer.learners.factory import BuiltModel
from consumer.loop.labelling import ImmediateLabels, Labelling
from consumer.loop.late_labels import LateLabels
from consumer.loop.micro_batch import MicroBatch
from consumer.loop.prequential import Loop
from consumer.loop.quarantine import Quarantine
from consumer.replay.buffer import ClassBalancedReservoir, ReplayBuffer, Reservoir
from consumer.replay.ratio import FixedRatio, LagAwareRatio, ReplayRatio
from consumer.settings import Settings


def build_loop(settings: Settings, classifier: TextClassifier | None = None) -> Loop:
    """Build the loop.

    Parameters
    ----------
    classifier
        Model to use; by default, one is built from the settings.
    """
    return Loop(
        classifier or build_classifier(settings),
        build_replay_buffer(settings),
        build_replay_ratio(settings),
        MicroBatch(settings.batch_size),
        Quarantine(settings.topic),
        build_adaptation(settings),
        build_labelling(settings),
    )


def build_classifier(settings: Settings) -> TextClassifier:
    """Build an extractor, a learner, and an empty set of labels."""
    built = build_model(settings)
    return TextClassifier(built.extractor, built.learner, LabelSet(settings.max_labels))


def build_model(settings: Settings) -> BuiltModel:
    """Build the extractor and the learner."""
    experts = settings.experts.split(",") if settings.learner == "blend" else [settings.learner]
    model = ModelConfig(
        learner=settings.learner,
        experts=tuple(experts),
        model=settings.model,
        text=settings.text,
        max_tokens=settings.max_tokens,
        latent_tokens=settings.latent_tokens,
        layers=None if settings.layers == "all" else settings.layers,
        adapters=settings.adapters,
        ridge=settings.ridge,
    )
    training = TrainingConfig(
        settings.optimizer,
        settings.learning_rate,
        settings.head_learning_rate,
        settings.averaging,
        settings.logit_adjustment,
    )
    hardware = HardwareConfig(settings.device, settings.precision, settings.runtime)
    return factory.build_model(model, hardware, training, settings.learn_tokens, settings.seed)


def build_replay_buffer(settings: Settings) -> ReplayBuffer:
    """Build the replay buffer."""
    if settings.replay == "class-balanced":
        return ClassBalancedReservoir(settings.replay_capacity, settings.seed)
    return Reservoir(settings.replay_capacity, settings.seed)


def build_replay_ratio(settings: Settings) -> ReplayRatio:
    """Build the replay ratio: fixed, or smaller while the consumer lags behind."""
    if settings.target_lag is None:
        return FixedRatio(settings.replay_ratio)
    return LagAwareRatio(settings.replay_ratio, settings.target_lag)


def build_adaptation(settings: Settings) -> DriftAdaptation:
    """Build the drift detectors and the reaction to drift."""
    errors = ErrorDriftDetector(DETECTORS[settings.drift_detector])
    return DriftAdaptation(errors, settings.on_drift)


def build_labelling(settings: Settings) -> Labelling:
    """Build the labelling: labels come with their documents, or late."""
    return LateLabels(settings.pending_capacity) if settings.late_labels else ImmediateLabels()
