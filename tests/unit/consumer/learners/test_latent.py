"""Latent replay equals fine-tuning of the top layers, and reads each text once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import Build, Restore, Saved, apply_update, documents

from consumer.features.encoder import Encoder
from consumer.features.extractor import extract
from consumer.features.frozen import FrozenLayers
from consumer.learners.config import TrainingConfig
from consumer.learners.factory import BuiltModel
from consumer.learners.latent import LatentReplay
from consumer.learners.protocol import TrainingBatch
from newsreel.events.document import Document

NO_REPLAY = TrainingBatch([], [])

LONG = Document(
    "long", "orbit rocket moon launch satellite shuttle nasa mars probe crater comet " * 3
)


def teach(model: BuiltModel, some: list[Document]) -> float:
    features = extract(model.extractor, some)
    targets = [["sport", "space"].index(str(document.label)) for document in some]
    batch = TrainingBatch(features, targets)
    return apply_update(
        model.learner.propose(batch, NO_REPLAY, model.learner.predict_many(batch.features))
    )


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_equals_finetuning(build: Build, layers: int) -> None:
    """With all tokens of each text, losses and predictions equal those of fine-tuning."""
    latent = build("latent", layers=layers, learn_tokens=16)
    finetune = build("finetune", layers=layers)
    for number in range(6):
        losses = [teach(one, documents(8, 8 * number)) for one in (latent, finetune)]
        assert losses[0] == pytest.approx(losses[1], rel=2e-2, abs=2e-3)
    unseen = documents(10, start=500)
    one, other = [
        each.learner.predict_many(extract(each.extractor, unseen)).probabilities
        for each in (latent, finetune)
    ]
    np.testing.assert_allclose(one, other, atol=2e-2)


def test_frozen_weights_stay(tiny: Callable[[str], Path]) -> None:
    """Learning changes neither the encoder nor the features of a text."""
    encoder = Encoder(str(tiny("bert")), 16, "cpu", "fp32")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    frozen = FrozenLayers(encoder, 2, pooled=True)
    learner = LatentReplay(encoder, 2, 0, 8, 0, TrainingConfig("sgd", 0.1, 0.1, 0.9, 1.0))
    (first,) = extract(frozen, [LONG])
    for number in range(3):
        features = extract(frozen, documents(4, 4 * number))
        apply_update(
            learner.propose(
                TrainingBatch(features, [0, 1, 0, 1]), NO_REPLAY, learner.predict_many(features)
            )
        )
    assert all(torch.equal(tensor, encoder.state_dict()[n]) for n, tensor in before.items())
    (again,) = extract(frozen, [LONG])
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("tokens", [2, 8, 15])
def test_sampled_tokens(build: Build, tokens: int) -> None:
    """A step samples tokens of a long text without repetition, in order, the first included."""
    learner = build("latent", learn_tokens=tokens).learner
    hidden = torch.arange(16.0).unsqueeze(1)
    seen = torch.zeros(16)
    for _ in range(200):
        chosen = learner._sample(hidden, learner._random).squeeze(1)
        assert len(chosen) == tokens
        assert chosen[0] == 0
        assert (chosen.diff() > 0).all()
        seen[chosen.long()] += 1
    share = (tokens - 1) / 15
    assert (seen[1:] / 200 - share).abs().max() < 0.2


def test_short_text(build: Build) -> None:
    """A text with no more tokens than a step learns is learned whole."""
    learner = build("latent", learn_tokens=8).learner
    before = learner._random.get_state()
    for length in (1, 2, 7, 8):
        hidden = torch.randn(length, 3)
        assert learner._sample(hidden, learner._random) is hidden
    assert torch.equal(learner._random.get_state(), before)


def test_predictions_see_all_tokens(build: Build) -> None:
    """Predictions use all tokens: the same text has always the same prediction."""
    model = build("latent", learn_tokens=2)
    teach(model, documents(8))
    features = extract(model.extractor, [LONG])
    first = model.learner.predict_many(features).probabilities
    for _ in range(3):
        again = model.learner.predict_many(features).probabilities
        np.testing.assert_array_equal(again, first)
    cut = [{"hidden": features[0]["hidden"][:-1]}]
    assert (model.learner.predict_many(cut).probabilities != first).any()


def test_seed(build: Build, saved: Saved) -> None:
    """The sampled tokens depend on the seed."""
    states = []
    for seed in (0, 0, 1):
        model = build("latent", learn_tokens=3, seed=seed)
        teach(model, documents(8))
        state = model.learner.steps
        states.append(saved(state))
    assert states[0] == states[1] != states[2]


def test_random_generator_is_restored(build: Build, restore: Restore) -> None:
    """The random generator is part of the state."""
    one, other = build("latent").learner, build("latent", seed=5).learner
    hidden = torch.arange(16.0).unsqueeze(1)
    one._sample(hidden, one._random)
    restore(one, other)
    assert [one._sample(hidden, one._random).tolist() for _ in range(5)] == [
        other._sample(hidden, other._random).tolist() for _ in range(5)
    ]


def test_replay_features(build: Build) -> None:
    """The buffer stores activations of as many tokens as a step learns, in half precision."""
    model = build("blend", learn_tokens=8)
    short, long = extract(model.extractor, [Document("short", "moon"), LONG])
    for features, tokens in ((short, 3), (long, 8)):
        replayed = model.learner.replay_features(features)
        assert list(replayed) == ["hidden"]
        assert replayed["hidden"].dtype == torch.float16
        assert replayed["hidden"].shape == (tokens, 32)
        assert replayed["hidden"].untyped_storage().nbytes() == 2 * 32 * tokens
