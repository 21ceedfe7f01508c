"""Fine-tuning: the layers that are to learn do, all others stay as they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import accepted, documents

from consumer.features.encoder import Encoder, LayersError, Tokens
from consumer.features.extractor import extract
from consumer.learners.config import TrainingConfig
from consumer.learners.factory import BuiltModel
from consumer.learners.finetune import FineTune
from consumer.learners.protocol import Predictions, TrainingBatch

NOTHING = TrainingBatch([], [])


def teach(assembled: BuiltModel, lessons: int = 3) -> None:
    for number in range(lessons):
        features = extract(assembled.extractor, documents(8, 8 * number))
        lesson = TrainingBatch(features, [0, 1] * 4)
        accepted(
            assembled.learner.propose(lesson, NOTHING, assembled.learner.predict_many(features))
        )


def weights(assembled: BuiltModel) -> dict[str, torch.Tensor]:
    learner = assembled.learner
    assert isinstance(learner, FineTune)
    body = learner.steps._model.body
    return {name: tensor.detach().clone() for name, tensor in body.named_parameters()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_top_layers_learn_and_the_others_do_not(build: Any, optimizer: str) -> None:
    """Two layers of three: the top two change in every part, everything below stays as it was."""
    assembled = build("finetune", layers=2, optimizer=optimizer)
    before = weights(assembled)
    teach(assembled)
    trained = changed(before, weights(assembled))
    top = {name for name in before if ".layer.1." in name or ".layer.2." in name}
    assert trained <= top
    assert {name for name in top if name.endswith("weight")} <= trained


def test_no_layers(build: Any) -> None:
    """With no layer to train the encoder stays as it is, and the head alone learns."""
    assembled = build("finetune", layers=0)
    before = weights(assembled)
    teach(assembled)
    assert changed(before, weights(assembled)) == set()
    assert assembled.learner.state_dict()["parameters"]["weight"].any()


def test_all_layers(build: Any) -> None:
    """With all layers to train, everything that feeds the output changes, embeddings too."""
    assembled = build("finetune", layers=None)
    before = weights(assembled)
    teach(assembled)
    trained = changed(before, weights(assembled))
    assert any("word_embeddings" in name for name in trained)
    assert {name for name in before if name.endswith("weight") and "pooler" not in name} <= trained


def test_more_layers_than_there_are(build: Any) -> None:
    """The error says how many layers there are, and which option to set."""
    with pytest.raises(LayersError, match=r"3 layers, 4 can't be trained; set --layers"):
        build("finetune", layers=4)


@pytest.mark.parametrize("learner", ["finetune", "latent"])
def test_adapters(build: Any, learner: str) -> None:
    """With adapters the layers themselves stay as they are, and checkpoints are small."""
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
def test_adapters_depend_on_the_seed_alone(build: Any, saved: Any, learner: str) -> None:
    """Adapters begin the same with the same seed, whatever was random before, and stir nothing."""
    torch.manual_seed(1)
    random = torch.get_rng_state()
    one = build(learner, adapters=2, seed=11, averaging=0.5)
    assert torch.equal(torch.get_rng_state(), random)
    torch.manual_seed(2)
    same = build(learner, adapters=2, seed=11, averaging=0.25)
    other = build(learner, adapters=2, seed=12)

    def beginning(assembled: BuiltModel) -> dict[str, torch.Tensor]:
        parameters: dict[str, torch.Tensor] = dict(assembled.learner.steps._trained)
        return parameters

    assert changed(beginning(one), beginning(same)) == set()
    assert changed(beginning(one), beginning(other))


@pytest.mark.parametrize("learner", ["finetune", "latent"])
def test_adapters_of_no_layers(build: Any, learner: str) -> None:
    """Without a layer to adapt, the head alone learns."""
    assembled = build(learner, layers=0, adapters=2)
    teach(assembled)
    assert assembled.learner.state_dict()


def test_checkpoints_hold_only_what_was_trained(build: Any) -> None:
    """Frozen weights, most of the model, are not in the state."""
    assembled = build("finetune", layers=1)
    teach(assembled, lessons=1)
    stored = sum(t.numel() for t in assembled.learner.state_dict()["parameters"].values())
    assert stored < sum(t.numel() for t in weights(assembled).values()) / 10


def test_describes_what_a_checkpoint_fits(build: Any) -> None:
    """Learners whose checkpoints don't fit describe themselves differently."""
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
    """In any architecture the top layers learn; embeddings and lower layers stay as they are."""
    encoder = Encoder(str(tiny(name)), 16, "cpu", "fp32")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    learner = FineTune(encoder, 1, 0, 0, TrainingConfig("sgd", 0.1, 0.1, 0.0, 0.0))
    features = extract(Tokens(encoder), documents(2))
    for _ in range(2):
        accepted(learner.propose(TrainingBatch(features, [0, 1]), NOTHING, Predictions(None)))
    after = encoder.state_dict()
    trained = {name for name in before if not torch.equal(before[name], after[name])}
    layers = {name.split(".2.")[0] for name in trained if ".2." in name}
    assert len(layers) == 1  # one stack, and of it the last of three
    assert not [name for name in trained if ".0." in name or ".1." in name]
    assert not [name for name in trained if before[name].shape[0] == 30_522]
