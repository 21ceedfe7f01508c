"""Encode texts as fast as this machine can: the least work of learning from a document."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from consumer.features.config import Precision
from consumer.features.encoder import Encoder, normalized_mean, pad
from consumer.features.openvino_runtime import Runtime, find_runtime
from consumer.learners.config import ModelConfig
from consumer.learners.factory import ENCODER_TEXTS

BATCH_SIZES = (16, 32)

EncodeBatch = Callable[[Sequence[Tensor]], Any]
"""Function that encodes the tokens of a batch of texts."""


class Texts:
    """Encodes texts batch by batch, sorted by length to reduce padding.

    Parameters
    ----------
    encoder
        Encoder with the tokenizer.
    encode
        Function that encodes a batch.
    batch_size
        Number of texts in a batch.
    """

    def __init__(self, encoder: Encoder, encode: EncodeBatch, batch_size: int) -> None:
        self._encoder = encoder
        self._encode = encode
        self._batch_size = batch_size

    def __call__(self, texts: Sequence[str]) -> None:
        """Encode texts and discard the vectors."""
        tokens = sorted(self._encoder.tokenize(texts), key=len)
        for start in range(0, len(tokens), self._batch_size):
            self._encode(tokens[start : start + self._batch_size])


def build(model: ModelConfig) -> Mapping[str, Texts]:
    """Build every encoder that this machine can run, by name.

    Parameters
    ----------
    model
        Transformer, maximum number of tokens, and preparation of texts.
    """
    kinds: dict[str, tuple[Encoder, EncodeBatch]] = {}
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        encoder = _encoder(model, precision)
        kinds[f"torch {precision}"] = encoder, _in_torch(encoder)
    for precision in ("auto", "bf16" if _encoder(model, "auto").bf16 else "fp32"):
        encoder = _encoder(model, precision)
        runtime = find_runtime("auto", encoder)
        if runtime is not None:
            kinds[f"OpenVINO {precision}"] = encoder, _compiled(encoder, runtime)
    return {
        f"{kind}, batches of {size}": Texts(*parts, size)
        for kind, parts in kinds.items()
        for size in BATCH_SIZES
    }


def _encoder(model: ModelConfig, precision: Precision) -> Encoder:
    return Encoder(model.model, model.max_tokens, "auto", precision, ENCODER_TEXTS[model.text])


def _in_torch(encoder: Encoder) -> EncodeBatch:
    @torch.inference_mode()
    def encode(tokens: Sequence[Tensor]) -> Tensor:
        vectors: Tensor = encoder(tokens).cpu()  # waits until a GPU has finished
        return vectors

    return encode


def _compiled(encoder: Encoder, runtime: Runtime) -> EncodeBatch:
    run = runtime(_Vectors(encoder.transformer))

    def encode(tokens: Sequence[Tensor]) -> None:
        ids, mask = pad(tokens, encoder.device)
        run(ids.long(), mask.long())

    return encode


class _Vectors(nn.Module):
    """Pool token activations to a vector a text; the second output is one that a runtime needs."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self._transformer = transformer

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self._transformer(input_ids=ids, attention_mask=mask).last_hidden_state
        return normalized_mean(hidden, mask.bool()), hidden[:, 0]
