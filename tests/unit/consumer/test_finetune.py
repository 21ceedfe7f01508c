"""The learner, with the real encoder: it learns, keeps what it should, and never stops."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from consumer import checkpoint
from consumer.checkpoint import CheckpointStore
from consumer.encoder import DEFAULT_MODEL, Encoder, LayersError
from consumer.learners.finetune import FineTune, OptimizerName
from consumer.manifest import Manifest
from events.document import Document

WORDS = {
    0: "hockey goal team player season coach match league score puck skate arena",
    1: "orbit rocket moon launch satellite shuttle nasa mars probe crater comet lunar",
    2: "oven butter flour sugar recipe bake dough kitchen salt spoon cream cake",
}
RATES: dict[OptimizerName, tuple[float, float]] = {"adamw": (1e-4, 5e-3), "sgd": (3e-2, 3e-1)}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Any:
    """Leave the other cores to whoever needs them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def lesson(seed: int, topics: Sequence[int], count: int) -> tuple[list[Document], list[int]]:
    """Make short texts, no two lessons alike, and the numbers of their topics."""
    random = np.random.default_rng(seed)
    targets = [topics[number % len(topics)] for number in range(count)]
    texts = [" ".join(random.choice(WORDS[target].split(), 5, replace=False)) for target in targets]
    return [Document(f"{seed}-{n}", text) for n, text in enumerate(texts)], targets


def finetune(
    layers: int | None = 1,
    optimizer: OptimizerName = "adamw",
    rates: tuple[float, float] | None = None,
) -> FineTune:
    encoder = Encoder(DEFAULT_MODEL, max_tokens=16, device="cpu", precision="fp32")
    return FineTune(encoder, layers, optimizer, *(rates or RATES[optimizer]))


def accuracy(learner: FineTune, topics: Sequence[int]) -> float:
    documents, targets = lesson(999, topics, 30)
    return float((learner.predict_proba_many(documents).argmax(1) == targets).mean())


def weights(learner: FineTune) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in learner._encoder._model.state_dict().items()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.fixture
def restart(tmp_path: Path) -> Callable[[FineTune, FineTune], None]:
    """Carry what one learner knows into another, through a checkpoint on disk."""

    def call(old: FineTune, new: FineTune) -> None:
        store = CheckpointStore(tmp_path, keep=1)
        id_ = store.save(
            {"learner": old},
            topic="documents",
            group="newsreel",
            positions={},
            documents=1,
            describes=old.describe(),
        )
        Manifest.read(tmp_path / id_).require_fit(new.describe())
        checkpoint.restore(tmp_path / id_, {"learner": new})

    return call


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_learns_two_topics(optimizer: OptimizerName) -> None:
    """A few dozen short texts are enough to tell two topics apart in texts not seen before."""
    learner = finetune(optimizer=optimizer)
    losses = [learner.learn_many(*lesson(seed, [0, 1], 12)) for seed in range(6)]
    assert losses[0] == pytest.approx(np.log(2), abs=1e-4)  # it began without an opinion
    assert losses[-1] < losses[0] / 2
    assert accuracy(learner, [0, 1]) >= 0.9


def test_probabilities() -> None:
    """There is a row a document and a column a label learned so far; rows sum to 1."""
    learner = finetune()
    documents, _ = lesson(0, [0, 1], 7)
    assert learner.predict_proba_many(documents).shape == (7, 0)
    learner.learn_many(documents[:1], [4])
    probabilities = learner.predict_proba_many(documents)
    assert probabilities.shape == (7, 5)
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    assert (probabilities >= 0).all()


def test_output_grows_and_old_rows_stay(restart: Any) -> None:
    """A new label changes nothing between the old ones, and is then learned beside them."""
    learner = finetune()
    for seed in range(6):
        learner.learn_many(*lesson(seed, [0, 1], 12))
    documents, _ = lesson(100, [0, 1], 10)
    before = learner.predict_proba_many(documents)

    still = finetune(rates=(0.0, 0.0))  # grows, and takes steps of no size
    restart(learner, still)
    still.learn_many(*lesson(101, [2], 6))
    after = still.predict_proba_many(documents)
    assert after.shape == (10, 3)
    old = after[:, :2] / after[:, :2].sum(1, keepdims=True)
    assert old == pytest.approx(before, abs=1e-5)

    for seed in range(10, 18):
        learner.learn_many(*lesson(seed, [0, 1, 2], 12))
    assert accuracy(learner, [0, 1]) >= 0.9
    assert accuracy(learner, [2]) >= 0.9


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_growing_keeps_what_the_optimizer_knows(optimizer: OptimizerName) -> None:
    """Moments of the old rows outlive a new label; those of the new row begin at zero."""
    learner = finetune(layers=0, optimizer=optimizer)
    learner.learn_many(*lesson(0, [0, 1], 5))
    before = learner.state_dict()["optimizer"]
    learner._grow(3)
    after = learner.state_dict()["optimizer"]
    for parameter in ("head.weight", "head.bias"):
        moments = [name for name, tensor in before[parameter].items() if tensor.dim()]
        assert moments
        for name in moments:
            assert before[parameter][name].any()
            assert torch.equal(after[parameter][name][:2], before[parameter][name])
            assert not after[parameter][name][2:].any()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_top_layers_learn_and_the_others_do_not(optimizer: OptimizerName) -> None:
    """Two layers of six: the top two change in every part, everything below stays as it was."""
    learner = finetune(layers=2, optimizer=optimizer)
    before = weights(learner)
    for seed in range(2):
        learner.learn_many(*lesson(seed, [0, 1], 8))
    trained = changed(before, weights(learner))
    top = {name for name in before if name.startswith(("encoder.layer.4.", "encoder.layer.5."))}
    assert trained <= top
    assert {name for name in top if name.endswith("weight")} <= trained


def test_no_layers() -> None:
    """With no layer to train the encoder stays as it is, and the head alone learns."""
    learner = finetune(layers=0)
    before = weights(learner)
    for seed in range(6):
        learner.learn_many(*lesson(seed, [0, 1], 12))
    assert changed(before, weights(learner)) == set()
    assert accuracy(learner, [0, 1]) >= 0.9


def test_all_layers() -> None:
    """With all layers to train, everything that feeds the output changes, embeddings too."""
    learner = finetune(layers=None)
    before = weights(learner)
    for seed in range(2):
        learner.learn_many(*lesson(seed, [0, 1], 8))
    trained = changed(before, weights(learner))
    assert "embeddings.word_embeddings.weight" in trained
    blocks = {name for name in before if name.endswith("weight") and "pooler" not in name}
    assert blocks <= trained


def test_more_layers_than_there_are() -> None:
    """The error says how many layers there are, and which option to set."""
    with pytest.raises(LayersError, match=r"6 layers, 7 can't be trained; set --layers"):
        finetune(layers=7)


@pytest.mark.parametrize(("optimizer", "layers"), [("adamw", 1), ("sgd", 1), ("adamw", 0)])
def test_restored_goes_on_as_if_it_had_never_stopped(
    restart: Any, optimizer: OptimizerName, layers: int | None
) -> None:
    """Through a checkpoint, with a label that appears only afterwards, bit for bit."""
    uninterrupted = finetune(layers, optimizer)
    for seed in range(3):
        uninterrupted.learn_many(*lesson(seed, [0, 1], 6))
    restored = finetune(layers, optimizer)
    restart(uninterrupted, restored)
    for seed in range(3, 6):
        losses = [
            learner.learn_many(*lesson(seed, [0, 1, 2], 6)) for learner in (uninterrupted, restored)
        ]
        assert losses[0] == losses[1]
    assert changed(weights(uninterrupted), weights(restored)) == set()
    documents, _ = lesson(100, [0, 1, 2], 12)
    np.testing.assert_array_equal(
        restored.predict_proba_many(documents), uninterrupted.predict_proba_many(documents)
    )


def test_restored_before_anything_was_learned(restart: Any) -> None:
    """The checkpoint of a learner that knows nothing yet gives one that can learn."""
    fresh, restored = finetune(), finetune()
    restart(fresh, restored)
    losses = [learner.learn_many(*lesson(0, [0, 1], 6)) for learner in (fresh, restored)]
    assert losses[0] == losses[1]


def test_predicting_changes_nothing() -> None:
    """Predictions leave no trace, and the same question gets the same answer."""
    learner = finetune()
    learner.learn_many(*lesson(0, [0, 1], 6))
    documents, _ = lesson(1, [0, 1], 6)
    first = learner.predict_proba_many(documents)
    before = weights(learner)
    np.testing.assert_array_equal(learner.predict_proba_many(documents), first)
    assert changed(before, weights(learner)) == set()


def test_checkpoints_hold_only_what_was_trained() -> None:
    """Frozen weights, most of the model, are not in the state."""
    learner = finetune(layers=1)
    learner.learn_many(*lesson(0, [0, 1], 4))
    stored = sum(t.numel() for t in learner.state_dict()["parameters"].values())
    assert stored < sum(t.numel() for t in weights(learner).values()) / 10


def test_describes_what_a_checkpoint_fits() -> None:
    """Learners whose checkpoints don't fit describe themselves differently."""
    described = [
        finetune(layers=1).describe(),
        finetune(layers=2).describe(),
        finetune(layers=None).describe(),
        finetune(layers=1, optimizer="sgd").describe(),
    ]
    assert all(one != other for n, one in enumerate(described) for other in described[:n])
    assert finetune(layers=1, rates=(1.0, 1.0)).describe() == described[0]
