"""Settings become parts."""

import pytest

from consumer import composition
from consumer.learners.bayes import ComplementBayes
from consumer.learners.blend import Blend
from consumer.replay.buffer import ClassBalancedReservoir, Reservoir
from consumer.replay.ratio import FixedRatio, LagAwareRatio
from consumer.settings import Settings
from newsreel.common.errors import UserError


def test_one_learner_or_a_blend() -> None:
    """--learner names one, or blends those that --experts names."""
    alone = composition.build_model(Settings(learner="bayes"))
    assert isinstance(alone.learner, ComplementBayes)
    both = composition.build_model(Settings(experts="ngram,bayes"))
    assert isinstance(both.learner, Blend)
    assert both.describes["experts"] == ["ngram", "bayes"]


def test_an_expert_named_twice_is_refused() -> None:
    """It would count twice, or silently once."""
    with pytest.raises(UserError, match="--experts"):
        composition.build_model(Settings(experts="bayes,bayes"))


def test_all_layers_leave_none_to_freeze() -> None:
    """Latent replay needs frozen layers, and says what to use instead."""
    with pytest.raises(UserError, match="--learner finetune"):
        composition.build_model(Settings(learner="latent", layers="all"))


def test_buffer_and_ratio_are_those_asked_for() -> None:
    """The buffer is balanced unless told otherwise; lag matters where a target is set."""
    assert isinstance(composition.build_replay_buffer(Settings()), ClassBalancedReservoir)
    assert isinstance(composition.build_replay_buffer(Settings(replay="reservoir")), Reservoir)
    assert isinstance(composition.build_replay_ratio(Settings()), FixedRatio)
    assert isinstance(composition.build_replay_ratio(Settings(target_lag=10)), LagAwareRatio)
