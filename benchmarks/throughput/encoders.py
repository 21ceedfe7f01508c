"""Bare encoding, as fast as it gets: what learning from a document can't do without."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from consumer.features.config import Precision
from consumer.features.encoder import Encoder, pad, unit_mean
from consumer.features.openvino_runtime import Runtime, find_runtime
from consumer.learners.config import ModelConfig
from consumer.learners.factory import (
    TEXTS,
)

BATCH_SIZES = (16, 32)

EncodeBatch = Callable[[Sequence[Tensor]], Any]
"""Takes the tokens of some texts."""


class Texts:
    """Encodes texts batch by batch; those of similar length together, to pad little.

    Parameters
    ----------
    encoder
        Has the tokenizer.
    encode
        Encodes a batch.
    batch_size
        Texts of a batch.
    """

    def __init__(self, encoder: Encoder, encode: EncodeBatch, batch_size: int) -> None:
        self._encoder = encoder
        self._encode = encode
        self._batch_size = batch_size

    def __call__(self, texts: Sequence[str]) -> None:
        """Encode all of them; the vectors are thrown away."""
        tokens = sorted(self._encoder.tokenize(texts), key=len)
        for start in range(0, len(tokens), self._batch_size):
            self._encode(tokens[start : start + self._batch_size])


def build(recipe: ModelConfig) -> Mapping[str, Texts]:
    """Build every encoder that this machine can run, by name.

    Parameters
    ----------
    recipe
        Says the model, and what it reads of a text.
    """
    kinds: dict[str, tuple[Encoder, EncodeBatch]] = {}
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        encoder = _encoder(recipe, precision)
        kinds[f"torch {precision}"] = encoder, _in_torch(encoder)
    for precision in ("auto", "bf16" if _encoder(recipe, "auto").bf16 else "fp32"):
        encoder = _encoder(recipe, precision)
        runtime = find_runtime("auto", encoder)
        if runtime is not None:
            kinds[f"OpenVINO {precision}"] = encoder, _compiled(encoder, runtime)
    return {
        f"{kind}, batches of {size}": Texts(*parts, size)
        for kind, parts in kinds.items()
        for size in BATCH_SIZES
    }


def _encoder(recipe: ModelConfig, precision: Precision) -> Encoder:
    return Encoder(recipe.model, recipe.max_tokens, "auto", precision, TEXTS[recipe.text])


def _in_torch(encoder: Encoder) -> EncodeBatch:
    @torch.inference_mode()
    def encode(tokens: Sequence[Tensor]) -> Tensor:
        vectors: Tensor = encoder(tokens).cpu()  # a GPU has not finished before
        return vectors

    return encode


def _compiled(encoder: Encoder, runtime: Runtime) -> EncodeBatch:
    run = runtime(_Vectors(encoder.transformer))

    def encode(tokens: Sequence[Tensor]) -> None:
        ids, mask = pad(tokens, encoder.device)
        run(ids.long(), mask.long())

    return encode


class _Vectors(nn.Module):
    """Token numbers and mask in, one vector a text out, and a second because a runtime has two."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self._transformer = transformer

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self._transformer(input_ids=ids, attention_mask=mask).last_hidden_state
        return unit_mean(hidden, mask.bool()), hidden[:, 0]
