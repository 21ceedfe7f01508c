"""Encode texts with a pretrained transformer: one vector a text."""

import copy
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Self

import structlog
import torch
from torch import Tensor, nn

from consumer.features.config import Precision
from consumer.features.extractor import Features
from consumer.features.hardware import autocast, find_device, uses_bf16
from consumer.features.transformer import (
    fingerprint,
    layers_of,
    load_transformer,
    max_input_tokens,
)
from newsreel.common.errors import UserError
from newsreel.events.document import Document

CHARACTERS_PER_TOKEN = 20
"""Characters given to the tokenizer for each token: the rest of a huge text would be cut off."""

VECTOR_NORM = 10.0
"""Euclidean norm of every pooled vector."""

log = structlog.get_logger()


class LayersError(UserError):
    """The encoder has fewer layers than are to be trained."""


class Encoder(nn.Module):
    """Pool the last hidden states of a transformer to their mean.

    Parameters
    ----------
    name
        `DEFAULT_MODEL`, or what ``transformers`` accepts: a folder or a name on the model hub.
    max_tokens
        Tokens read of a text; the rest is cut off.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``...
    precision
        Precision of matrix products: ``bf16``, ``fp32``, or ``auto`` for bf16 where the hardware
        has it.
    prepare
        Function applied to each text before the text is tokenized.

    Raises
    ------
    UnknownModelError, DeviceError
    """

    def __init__(
        self,
        name: str,
        max_tokens: int,
        device: str,
        precision: Precision,
        prepare: Callable[[str], str] = str,
    ) -> None:
        super().__init__()
        self.name = name
        self._prepare = prepare
        self.device = find_device(device)
        self.precision = precision
        self.bf16 = uses_bf16(self.device, precision)
        self.transformer, self._tokenizer = load_transformer(name)
        self.transformer.to(self.device).eval()  # no dropout: the stream is read once
        self.max_tokens = min(max_tokens, max_input_tokens(self.transformer, self._tokenizer))
        if self.max_tokens < max_tokens:
            log.warning("the model reads no more tokens", model=name, max_tokens=self.max_tokens)
        self.width = int(self.transformer.config.hidden_size)
        self.weights_sha256 = fingerprint(self.transformer)

    def tokenize(self, texts: Sequence[str]) -> list[Tensor]:
        """Return the token numbers of each text: int32 tensors of shape (tokens,)."""
        max_characters = CHARACTERS_PER_TOKEN * self.max_tokens
        prepared = [self._prepare(text)[:max_characters] for text in texts]
        encoded = self._tokenizer(prepared, truncation=True, max_length=self.max_tokens)
        return [torch.tensor(numbers, dtype=torch.int32) for numbers in encoded["input_ids"]]

    def forward(self, tokens: Sequence[Tensor]) -> Tensor:
        """Encode tokenized texts: a float32 tensor of shape (texts, width)."""
        padded, mask = pad(tokens, self.device)
        with self.autocast():
            hidden = self.transformer(
                input_ids=padded.long(), attention_mask=mask.long()
            ).last_hidden_state
        return normalized_mean(hidden, mask)

    def autocast(self) -> torch.autocast:
        """Return the context in which matrix products have the chosen precision."""
        return autocast(self.device, bf16=self.bf16)

    def describe(self) -> dict[str, Any]:
        """Return what the vectors depend on, for the manifest of a checkpoint."""
        return {"model_weights": self.weights_sha256, "max_tokens": self.max_tokens}

    def train_top(self, layers: int | None) -> None:
        """Freeze everything below the top layers.

        Parameters
        ----------
        layers
            Number of layers to train; None for all of them and the embeddings.

        Raises
        ------
        LayersError
            The encoder has fewer layers.
        """
        frozen: list[nn.Parameter] = []
        if layers is not None:
            top = {id(p) for layer in self.top(layers) for p in layer.parameters()}
            # Modules are registered from the input up: parameters before the top are below it.
            frozen += takewhile(lambda p: id(p) not in top, self.transformer.parameters())
        # The pooler's output is not used: hidden states are averaged instead.
        frozen += [
            p for name, p in self.transformer.named_parameters() if name.startswith("pooler.")
        ]
        for parameter in frozen:
            parameter.requires_grad_(False)

    def top(self, layers: int) -> list[nn.Module]:
        """Return the top layers, the lowest of them first.

        Raises
        ------
        LayersError
            The encoder has fewer layers.
        """
        stack = layers_of(self.transformer)
        if layers > len(stack):
            raise LayersError(
                f"{self.name} has {len(stack)} layers, {layers} can't be trained; set --layers"
            )
        return list(stack[len(stack) - layers :])

    def copy(self) -> Self:
        """Return an encoder with its own copy of the weights."""
        return copy.deepcopy(self)


class Tokens:
    """Extract ``tokens``: token numbers, int32, shape (tokens,)."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def tokenize_many(self, documents: Sequence[Document]) -> list[Features]:
        """Return the tokens of each document."""
        rows = self._encoder.tokenize([document.text for document in documents])
        return [{"tokens": row} for row in rows]

    def extract_many(self, tokenized: Sequence[Features]) -> list[Features]:
        """Return the tokens of each document unchanged."""
        return [{"tokens": row["tokens"]} for row in tokenized]


def pad(rows: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Stack tensors of different lengths.

    Returns
    -------
    tuple
        The padded rows, of shape (rows, longest, ...) with zeros behind their ends, and a mask of
        shape (rows, longest) that is true where a row has values.
    """
    padded = nn.utils.rnn.pad_sequence(list(rows), batch_first=True).to(device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    return padded, torch.arange(padded.shape[1], device=device) < lengths.unsqueeze(1)


def average_neighbours(hidden: Tensor, max_rows: int) -> Tensor:
    """Shorten a text's hidden states by averaging neighbours; the first token stays by itself.

    As Dai et al. (2020), "Funnel-Transformer", shorten a sequence between two layers.

    Parameters
    ----------
    hidden
        Hidden states of one text, shape (tokens, width).
    max_rows
        Number of rows to return at most, 2 or more.
    """
    tokens = len(hidden)
    if tokens <= max_rows:
        return hidden
    group = 1 + torch.arange(tokens - 1) * (max_rows - 1) // (tokens - 1)
    group = torch.cat([torch.zeros(1, dtype=torch.long), group])
    sums = torch.zeros(max_rows, hidden.shape[1]).index_add_(0, group, hidden.float())
    return (sums / group.bincount().unsqueeze(1)).to(hidden.dtype)


def normalized_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Average hidden states over the tokens, and scale the mean to norm `VECTOR_NORM`.

    Pooled as in Reimers and Gurevych (2019), "Sentence-BERT". The scale is fixed, so that learning
    rates carry over from one encoder to another.
    """
    return VECTOR_NORM * nn.functional.normalize(masked_mean(hidden, mask), dim=-1)


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Average hidden states of shape (texts, tokens, width) over the tokens of the mask."""
    weight = mask.unsqueeze(-1)
    return (hidden.float() * weight).sum(1) / weight.sum(1).clamp(min=1)
