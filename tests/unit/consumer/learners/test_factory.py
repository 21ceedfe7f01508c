"""Build extractors and learners that fit each other, and refuse what does not fit."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from helpers import Build, apply_update, documents

from consumer.features.extractor import extract
from consumer.learners.config import LearnerError, ModelConfig
from consumer.learners.protocol import TrainingBatch


@pytest.mark.parametrize(
    ("learner", "features"),
    [
        ("finetune", {"tokens"}),
        ("latent", {"hidden"}),
        ("analytic", {"hidden", "pooled"}),
        ("bayes", {"ngrams", "frequencies"}),
        ("ngram", {"ngrams", "frequencies"}),
        ("blend", {"hidden", "pooled", "ngrams", "frequencies"}),
    ],
)
def test_features_fit_the_learner(build: Build, learner: str, features: set[str]) -> None:
    """The extractor computes the features that the learner needs."""
    (found,) = extract(build(learner).extractor, documents(1))
    assert set(found) == features


def test_all_experts_at_once(build: Build) -> None:
    """A blend may have all experts; fine-tuning leaves the frozen layers unchanged."""
    experts = ("latent", "analytic", "bayes", "ngram", "finetune")
    model = build("blend", experts=experts)
    some = documents(4)
    before = extract(model.extractor, some)
    for _ in range(3):
        features = extract(model.extractor, some)
        predictions = model.learner.predict_many(features)
        apply_update(
            model.learner.propose(
                TrainingBatch(features, [0, 1, 0, 1]), TrainingBatch([], []), predictions
            )
        )
    assert tuple(predictions.experts) == experts
    for row, was in zip(extract(model.extractor, some), before, strict=True):
        assert set(row) == {"hidden", "pooled", "ngrams", "frequencies", "tokens"}
        assert all((row[name] == was[name]).all() for name in row)
    replayed = model.learner.replay_features(features[0])
    assert set(replayed) == {"hidden", "ngrams", "frequencies", "tokens"}


@pytest.mark.parametrize("learner", ["latent", "analytic", "blend"])
def test_no_layer_left_to_freeze(build: Build, learner: str) -> None:
    """Learners on frozen layers refuse to train all layers, and name alternatives."""
    with pytest.raises(LearnerError, match=r"^[^\n]*--learner finetune[^\n]*--layers[^\n]*$"):
        build(learner, layers=None)


def test_config_from_a_checkpoint(build: Build, tiny: Callable[[str], Path]) -> None:
    """The configuration can be read from the description in a checkpoint."""
    describes = build("blend", layers=2, adapters=4).describes
    config = ModelConfig.read(describes | {"replay": "reservoir"})
    assert config.experts == ("latent", "analytic", "bayes")
    assert (config.model, config.layers, config.adapters) == (str(tiny("bert")), 2, 4)
    assert asdict(config) | {"experts": list(config.experts)} == {
        name: describes[name] for name in asdict(config)
    }


def test_config_of_another_version() -> None:
    """A checkpoint without a complete description is refused in one line."""
    with pytest.raises(LearnerError, match=r"^[^\n]*another newsreel$"):
        ModelConfig.read({"learner": "finetune", "model": "all-MiniLM-L6-v2"})
