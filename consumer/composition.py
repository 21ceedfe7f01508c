"""From settings to parts: what both the consumer and its benchmarks are made of."""

from consumer.assembly import Assembled, Machine, Recipe, assemble
from consumer.drift.adaptation import DriftAdaptation
from consumer.drift.detectors import DETECTORS, RiseDetector
from consumer.learners.gradient import Training
from consumer.pending import AtOnce, Pending, Waiting
from consumer.replay import ClassBalancedReservoir, ReplayBuffer, Reservoir
from consumer.replay_ratio import FixedRatio, LagAwareRatio, ReplayRatio
from consumer.settings import Settings


def assembled(settings: Settings) -> Assembled:
    """Build the extractor and the learner."""
    experts = settings.experts.split(",") if settings.learner == "blend" else [settings.learner]
    recipe = Recipe(
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
    training = Training(
        settings.optimizer,
        settings.learning_rate,
        settings.head_learning_rate,
        settings.averaging,
        settings.logit_adjustment,
    )
    machine = Machine(settings.device, settings.precision, settings.runtime)
    return assemble(recipe, machine, training, settings.learn_tokens, settings.seed)


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
    errors = RiseDetector(DETECTORS[settings.drift_detector])
    return DriftAdaptation(errors, settings.reactions)


def waiting(settings: Settings) -> Waiting:
    """Build what waits for labels."""
    return Pending(settings.pending_capacity) if settings.late_labels else AtOnce()
