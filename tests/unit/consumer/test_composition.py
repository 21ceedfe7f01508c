"""Parts are built from settings."""

import pytest

from consumer import composition
from consumer.learners.bayes import ComplementBayes
from consumer.learners.blend import Blend
from consumer.replay.buffer import ClassBalancedReservoir, Reservoir
from consumer.replay.ratio import FixedRatio, LagAwareRatio
from consumer.settings import Settings
from newsreel.common.errors import UserError


def test_one_learner_or_a_blend() -> None:
    """The option --learner selects one learner, or a blend of the learners of --experts."""
    alone = composition.build_model(Settings(learner="bayes"))
    assert isinstance(alone.learner, ComplementBayes)
    both = composition.build_model(Settings(experts="ngram,bayes"))
    assert isinstance(both.learner, Blend)
    assert both.describes["experts"] == ["ngram", "bayes"]


def test_repeated_expert() -> None:
    """A repeated expert is refused."""
    with pytest.raises(UserError, match="--experts"):
        composition.build_model(Settings(experts="bayes,bayes"))


def test_latent_replay_of_all_layers() -> None:
    """Latent replay needs frozen layers; the error names the learner for all layers."""
    with pytest.raises(UserError, match="--learner finetune"):
        composition.build_model(Settings(learner="latent", layers="all"))


def test_buffer_and_ratio() -> None:
    """The buffer is class-balanced by default; the ratio depends on the lag if a target is set."""
    assert isinstance(composition.build_replay_buffer(Settings()), ClassBalancedReservoir)
    assert isinstance(composition.build_replay_buffer(Settings(replay="reservoir")), Reservoir)
    assert isinstance(composition.build_replay_ratio(Settings()), FixedRatio)
    assert isinstance(composition.build_replay_ratio(Settings(target_lag=10)), LagAwareRatio)
