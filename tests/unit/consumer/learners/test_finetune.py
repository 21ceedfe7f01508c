"""Fine-tuning changes the trained layers, and leaves all others unchanged."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import Build, Saved, apply_update, documents

from consumer.features.encoder import Encoder, LayersError, Tokens
from consumer.features.extractor import extract
from consumer.learners.config import TrainingConfig
from consumer.learners.factory import BuiltModel
from consumer.learners.finetune import FineTune
from consumer.learners.protocol import Predictions, TrainingBatch

NO_REPLAY = TrainingBatch([], [])


def teach(model: BuiltModel, batches: int = 3) -> None:
    for number in range(batches):
        features = extract(model.extractor, documents(8, 8 * number))
        batch = TrainingBatch(features, [0, 1] * 4)
        apply_update(model.learner.propose(batch, NO_REPLAY, model.learner.predict_many(features)))


def weights(model: BuiltModel) -> dict[str, torch.Tensor]:
    learner = model.learner
    assert isinstance(learner, FineTune)
    body = learner.steps._model.body
    return {name: tensor.detach().clone() for name, tensor in body.named_parameters()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_top_layers(build: Build, optimizer: str) -> None:
    """With two of three layers trained, all parts of these two change, and nothing below."""
    model = build("finetune", layers=2, optimizer=optimizer)
    before = weights(model)
    teach(model)
    trained = changed(before, weights(model))
    top = {name for name in before if ".layer.1." in name or ".layer.2." in name}
    assert trained <= top
    assert {name for name in top if name.endswith("weight")} <= trained


def test_no_layers(build: Build) -> None:
    """Without a trained layer the encoder stays unchanged, and only the head learns."""
    model = build("finetune", layers=0)
    before = weights(model)
    teach(model)
    assert changed(before, weights(model)) == set()
    assert model.learner.state_dict()["parameters"]["weight"].any()


def test_all_layers(build: Build) -> None:
    """With all layers trained, everything that feeds the output changes, embeddings included."""
    model = build("finetune", layers=None)
    before = weights(model)
    teach(model)
    trained = changed(before, weights(model))
    assert any("word_embeddings" in name for name in trained)
    assert {name for name in before if name.endswith("weight") and "pooler" not in name} <= trained


def test_too_many_layers(build: Build) -> None:
    """The error names the number of layers and the option to set."""
    with pytest.raises(LayersError, match=r"3 layers, 4 can't be trained; set --layers"):
        build("finetune", layers=4)


@pytest.mark.parametrize("learner", ["finetune", "latent"])
def test_adapters(build: Build, learner: str) -> None:
    """With adapters the layers stay unchanged, and checkpoints are small."""
    whole, adapted = build(learner, layers=2), build(learner, layers=2, adapters=2)
    body = adapted.learner.steps._model.body
    before = {name: tensor.clone() for name, tensor in body.named_parameters()}
    teach(whole)
    teach(adapted)
    trained = changed(before, dict(body.named_parameters()))
    assert trained
    assert all("lora_" in name for name in trained)
    assert adapted.learner.steps.parameters < whole.learner.steps.parameters / 4


@pytest.mark.parametrize("learner", ["finetune", "latent"])
def test_adapters_depend_on_the_seed_alone(build: Build, saved: Saved, learner: str) -> None:
    """Adapters depend on their seed only, and leave the global random generator unchanged."""
    torch.manual_seed(1)
    random = torch.get_rng_state()
    one = build(learner, adapters=2, seed=11, averaging=0.5)
    assert torch.equal(torch.get_rng_state(), random)
    torch.manual_seed(2)
    same = build(learner, adapters=2, seed=11, averaging=0.25)
    other = build(learner, adapters=2, seed=12)

    def beginning(model: BuiltModel) -> dict[str, torch.Tensor]:
        parameters: dict[str, torch.Tensor] = dict(model.learner.steps._trained)
        return parameters

    assert changed(beginning(one), beginning(same)) == set()
    assert changed(beginning(one), beginning(other))


@pytest.mark.parametrize("learner", ["finetune", "latent"])
def test_adapters_of_no_layers(build: Build, learner: str) -> None:
    """Without a layer to adapt, only the head learns."""
    model = build(learner, layers=0, adapters=2)
    teach(model)
    assert model.learner.state_dict()


def test_state_has_no_frozen_weights(build: Build) -> None:
    """The state has no frozen weights, which are most of the model."""
    model = build("finetune", layers=1)
    teach(model, batches=1)
    stored = sum(t.numel() for t in model.learner.state_dict()["parameters"].values())
    assert stored < sum(t.numel() for t in weights(model).values()) / 10


def test_descriptions_differ(build: Build) -> None:
    """Learners whose checkpoints are incompatible have different descriptions."""
    described = [
        build("finetune", layers=1).describes,
        build("finetune", layers=2).describes,
        build("finetune", layers=None).describes,
        build("finetune", layers=1, adapters=2).describes,
        build("finetune", layers=1, optimizer="sgd").describes,
        build("finetune", layers=1, averaging=0.0).describes,
        build("latent", layers=1).describes,
        build("blend").describes,
        build("blend", experts=("latent", "bayes")).describes,
        build("ngram").describes,
    ]
    assert all(one != other for n, one in enumerate(described) for other in described[:n])
    other_rates = build("finetune", layers=1, learning_rate=1.0, logit_adjustment=0.0)
    assert other_rates.describes == described[0]


@pytest.mark.parametrize("name", ["roberta", "distilbert", "mpnet", "modernbert", "gpt2"])
def test_other_architectures(tiny: Callable[[str], Path], name: str) -> None:
    """In any architecture the top layers learn; embeddings and lower layers stay unchanged."""
    encoder = Encoder(str(tiny(name)), 16, "cpu", "fp32")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    learner = FineTune(encoder, 1, 0, 0, TrainingConfig("sgd", 0.1, 0.1, 0.0, 0.0))
    features = extract(Tokens(encoder), documents(2))
    for _ in range(2):
        apply_update(learner.propose(TrainingBatch(features, [0, 1]), NO_REPLAY, Predictions(None)))
    after = encoder.state_dict()
    trained = {name for name in before if not torch.equal(before[name], after[name])}
    layers = {name.split(".2.")[0] for name in trained if ".2." in name}
    assert len(layers) == 1  # one stack, and of it the last of three
    assert not [name for name in trained if ".0." in name or ".1." in name]
    assert not [name for name in trained if before[name].shape[0] == 30_522]
