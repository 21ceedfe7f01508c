"""From settings to parts: what both the consumer and its benchmarks are made of."""

from consumer.drift.adaptation import DriftAdaptation
from consumer.drift.detectors import DETECTORS, ErrorDriftDetector
from consumer.features.config import HardwareConfig
from consumer.learners.config import ModelConfig, TrainingConfig
from consumer.learners.factory import (
    BuiltModel,
    build_model,
)
from consumer.loop.labelling import ImmediateLabels, Labelling
from consumer.loop.late_labels import LateLabels
from consumer.replay.buffer import ClassBalancedReservoir, ReplayBuffer, Reservoir
from consumer.replay.ratio import FixedRatio, LagAwareRatio, ReplayRatio
from consumer.settings import Settings


def assembled(settings: Settings) -> BuiltModel:
    """Build the extractor and the learner."""
    experts = settings.experts.split(",") if settings.learner == "blend" else [settings.learner]
    recipe = ModelConfig(
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
    machine = HardwareConfig(settings.device, settings.precision, settings.runtime)
    return build_model(recipe, machine, training, settings.learn_tokens, settings.seed)


def replay_ratio(settings: Settings) -> ReplayRatio:
    """Build what says how much is replayed."""
    if settings.target_lag is None:
        return FixedRatio(settings.replay_ratio)
    return LagAwareRatio(settings.replay_ratio, settings.target_lag)


def replay_buffer(settings: Settings) -> ReplayBuffer:
    """Build the replay buffer."""
    if settings.replay == "class-balanced":
        return ClassBalancedReservoir(settings.replay_capacity, settings.seed)
    return Reservoir(settings.replay_capacity, settings.seed)


def adaptation(settings: Settings) -> DriftAdaptation:
    """Build what notices drift, and reacts to it."""
    errors = ErrorDriftDetector(DETECTORS[settings.drift_detector])
    return DriftAdaptation(errors, settings.on_drift)


def waiting(settings: Settings) -> Labelling:
    """Build what waits for labels."""
    return LateLabels(settings.pending_capacity) if settings.late_labels else ImmediateLabels()
