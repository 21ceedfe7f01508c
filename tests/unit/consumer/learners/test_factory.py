"""Parts are put together that fit, and refused where they don't."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from helpers import accepted, documents

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
def test_features_fit_the_learner(build: Any, learner: str, features: set[str]) -> None:
    """What is extracted is what the learner needs."""
    (found,) = extract(build(learner).extractor, documents(1))
    assert set(found) == features


def test_all_experts_at_once(build: Any) -> None:
    """A blend may be of all experts; one that fine-tunes leaves the frozen layers as they are."""
    experts = ("latent", "analytic", "bayes", "ngram", "finetune")
    assembled = build("blend", experts=experts)
    some = documents(4)
    before = extract(assembled.extractor, some)
    for _ in range(3):
        features = extract(assembled.extractor, some)
        predictions = assembled.learner.predict_many(features)
        accepted(
            assembled.learner.propose(
                TrainingBatch(features, [0, 1, 0, 1]), TrainingBatch([], []), predictions
            )
        )
    assert tuple(predictions.experts) == experts
    for row, was in zip(extract(assembled.extractor, some), before, strict=True):
        assert set(row) == {"hidden", "pooled", "ngrams", "frequencies", "tokens"}
        assert all((row[name] == was[name]).all() for name in row)
    kept = assembled.learner.replay_features(features[0])
    assert set(kept) == {"hidden", "ngrams", "frequencies", "tokens"}


@pytest.mark.parametrize("learner", ["latent", "analytic", "blend"])
def test_no_layer_left_to_freeze(build: Any, learner: str) -> None:
    """Learners on frozen layers refuse to train all of them, and say what can be done."""
    with pytest.raises(LearnerError, match=r"^[^\n]*--learner finetune[^\n]*--layers[^\n]*$"):
        build(learner, layers=None)


def test_recipe_comes_back_from_a_checkpoint(build: Any, tiny: Callable[[str], Path]) -> None:
    """The recipe can be read from what a checkpoint says it is of."""
    describes = build("blend", layers=2, adapters=4).describes
    recipe = ModelConfig.read(describes | {"replay": "reservoir"})
    assert recipe.experts == ("latent", "analytic", "bayes")
    assert (recipe.model, recipe.layers, recipe.adapters) == (str(tiny("bert")), 2, 4)
    assert asdict(recipe) | {"experts": list(recipe.experts)} == {
        name: describes[name] for name in asdict(recipe)
    }


def test_recipe_of_another_newsreel() -> None:
    """A checkpoint that does not say what it is of is refused in one line."""
    with pytest.raises(LearnerError, match=r"^[^\n]*another newsreel$"):
        ModelConfig.read({"learner": "finetune", "model": "all-MiniLM-L6-v2"})
